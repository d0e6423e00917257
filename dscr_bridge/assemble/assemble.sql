-- How record rows become canonical rows.  Read by dscr_bridge/assemble, part by part; every table here is temporary.
--
-- r_<table> holds the record rows of all sources with `src`, the number of the source, in front.
-- entry (loc, care_home, home_care, accepting, bed_type, engagement) and entry_source (loc, src, whole) come from the
-- configuration; `whole` says that whatever names no place of its own belongs to that location.
-- rule is one row: as_at, week_ago, year_ago.  Rows are joined within a source, people and workers across sources.
-- There are few sources, so `src` comes last in an index; CROSS JOIN fixes the order where SQLite would guess wrong.

-- part places
-- A repeated row of one place is one place; which of two differing values wins must not depend on the order of arrival.
CREATE INDEX r_place_key ON r_place (place_key, src);
CREATE TEMP TABLE t_place_again AS SELECT place_key, src FROM r_place GROUP BY place_key, src HAVING COUNT(*) > 1;
CREATE TEMP TABLE t_place AS
SELECT src, place_key, part_of_key, organisation_key, site, physical, status, operational, mode, bed_type, accepting, places,
       flexible
FROM r_place WHERE (place_key, src) NOT IN t_place_again
UNION ALL
SELECT src, place_key, MIN(part_of_key) AS part_of_key, MIN(organisation_key) AS organisation_key, MIN(site) AS site,
       MIN(physical) AS physical, MIN(status) AS status, MIN(operational) AS operational, MIN(mode) AS mode,
       MIN(bed_type) AS bed_type, MIN(accepting) AS accepting, MAX(places) AS places, MAX(flexible) AS flexible
FROM r_place WHERE (place_key, src) IN t_place_again GROUP BY place_key, src;
CREATE UNIQUE INDEX t_place_key ON t_place (place_key, src);
CREATE INDEX t_place_up ON t_place (part_of_key, src);

-- Downwards from the places that stand in no other known place, at most ten levels: what lies in a loop is never met.
CREATE TEMP TABLE t_tree AS
WITH RECURSIVE down (src, place_key, site, bed_type, accepting, bed_key, room_key, depth) AS (
  SELECT p.src, p.place_key, p.site, p.bed_type, p.accepting, CASE p.physical WHEN 'bed' THEN p.place_key END,
         CASE p.physical WHEN 'room' THEN p.place_key END, 0
  FROM t_place p LEFT JOIN t_place u ON u.src = p.src AND u.place_key = p.part_of_key
  WHERE u.place_key IS NULL
  UNION ALL
  SELECT c.src, c.place_key, COALESCE(c.site, d.site), COALESCE(c.bed_type, d.bed_type),
         COALESCE(c.accepting, d.accepting), CASE c.physical WHEN 'bed' THEN c.place_key ELSE d.bed_key END,
         CASE c.physical WHEN 'room' THEN c.place_key ELSE d.room_key END, d.depth + 1
  FROM down d JOIN t_place c ON c.src = d.src AND c.part_of_key = d.place_key
  WHERE d.depth < 10)
SELECT * FROM down;
CREATE UNIQUE INDEX t_tree_key ON t_tree (place_key, src);

-- An organisation or service belongs to the home it names, or that one above it names, or whose place it names as what
-- it is part of (HealthcareService.location).  One that leads to two homes leads to none.
CREATE TEMP TABLE t_above AS
WITH RECURSIVE up (src, organisation_key, above_key, site, depth) AS (
  SELECT src, organisation_key, part_of_key, site, 0 FROM r_organisation
  UNION
  SELECT u.src, u.organisation_key, o.part_of_key, o.site, u.depth + 1
  FROM up u JOIN r_organisation o ON o.src = u.src AND o.organisation_key = u.above_key
  WHERE u.site IS NULL AND u.depth < 10)
SELECT * FROM up;

CREATE TEMP TABLE t_org AS
SELECT src, organisation_key, CASE WHEN MIN(site) = MAX(site) THEN MIN(site) END AS site
FROM (SELECT a.src, a.organisation_key, COALESCE(a.site, t.site) AS site
      FROM t_above a LEFT JOIN t_tree t ON t.src = a.src AND t.place_key = a.above_key)
GROUP BY src, organisation_key;
CREATE UNIQUE INDEX t_org_key ON t_org (organisation_key, src);

-- The organisations above a home's own: who works for one of these may work in any of its homes.
CREATE TEMP TABLE t_group AS
WITH RECURSIVE up (src, site, organisation_key, depth) AS (
  SELECT r.src, o.site, r.part_of_key, 0
  FROM t_org o JOIN r_organisation r ON r.src = o.src AND r.organisation_key = o.organisation_key
  WHERE o.site IS NOT NULL AND r.part_of_key IS NOT NULL
  UNION
  SELECT u.src, u.site, r.part_of_key, u.depth + 1
  FROM up u JOIN r_organisation r ON r.src = u.src AND r.organisation_key = u.organisation_key
  WHERE r.part_of_key IS NOT NULL AND u.depth < 10)
SELECT DISTINCT u.src, u.organisation_key, u.site
FROM up u JOIN t_org o ON o.src = u.src AND o.organisation_key = u.organisation_key AND o.site IS NULL;

-- Where no place above names the home, the nearest managing organisation that leads to one decides.
CREATE TEMP TABLE t_managed AS
WITH RECURSIVE down (src, place_key, site, depth) AS (
  SELECT p.src, p.place_key, o.site, 0
  FROM t_place p JOIN t_tree t ON t.src = p.src AND t.place_key = p.place_key AND t.site IS NULL AND t.depth = 0
  LEFT JOIN t_org o ON o.src = p.src AND o.organisation_key = p.organisation_key
  UNION ALL
  SELECT c.src, c.place_key, COALESCE(o.site, d.site), d.depth + 1
  FROM down d JOIN t_place c ON c.src = d.src AND c.part_of_key = d.place_key AND c.site IS NULL
  LEFT JOIN t_org o ON o.src = c.src AND o.organisation_key = c.organisation_key
  WHERE d.depth < 10)
SELECT src, place_key, site FROM down WHERE site IS NOT NULL;
CREATE UNIQUE INDEX t_managed_key ON t_managed (place_key, src);

CREATE TEMP TABLE t_whole AS SELECT src, MIN(loc) AS loc FROM entry_source WHERE whole = 1 GROUP BY src;

CREATE TEMP TABLE t_at AS
SELECT t.src, t.place_key, COALESCE(t.site, m.site, w.loc) AS loc, t.bed_type, t.accepting, t.bed_key, t.room_key,
       t.site IS NOT NULL AND o.site IS NOT NULL AND o.site <> t.site AS elsewhere
FROM t_tree t JOIN t_place p ON p.src = t.src AND p.place_key = t.place_key
LEFT JOIN t_managed m ON m.src = t.src AND m.place_key = t.place_key
LEFT JOIN t_org o ON o.src = p.src AND o.organisation_key = p.organisation_key
LEFT JOIN t_whole w ON w.src = t.src;
CREATE UNIQUE INDEX t_at_key ON t_at (place_key, src);

-- part beds
CREATE TEMP TABLE t_sleeping AS
SELECT p.src, p.place_key, p.part_of_key, p.physical, p.status, p.operational, p.places, p.flexible, a.loc, a.bed_type,
       a.accepting
FROM t_place p JOIN t_at a ON a.src = p.src AND a.place_key = p.place_key
JOIN entry_source s ON s.src = a.src AND s.loc = a.loc
WHERE p.physical IN ('bed', 'room') AND COALESCE(p.mode, 'count') = 'count' AND NOT a.elsewhere;
CREATE INDEX t_sleeping_loc ON t_sleeping (loc, src, physical);

-- Beds; or rooms where a home's record has no beds at all.
CREATE TEMP TABLE t_bed AS
SELECT * FROM t_sleeping b
WHERE physical = 'bed'
   OR NOT EXISTS (SELECT 1 FROM t_sleeping o WHERE o.src = b.src AND o.loc = b.loc AND o.physical = 'bed');
CREATE UNIQUE INDEX t_bed_key ON t_bed (place_key, src);

-- The bed that a record means when it names a place: the bed or room sold as beds that the place is or stands in (a
-- Schedule stands in its bed), or the only bed of the room that it names.
CREATE TEMP TABLE t_means AS
SELECT a.src, a.place_key, COALESCE(b.place_key, r.place_key, o.place_key) AS bed_key
FROM t_at a LEFT JOIN t_bed b ON b.src = a.src AND b.place_key = a.bed_key
LEFT JOIN t_bed r ON r.src = a.src AND r.place_key = a.room_key
LEFT JOIN (SELECT src, part_of_key, MIN(place_key) AS place_key FROM t_bed
           WHERE part_of_key IS NOT NULL GROUP BY src, part_of_key HAVING COUNT(*) = 1) o
       ON o.src = a.src AND o.part_of_key = a.room_key AND a.room_key = a.place_key
WHERE COALESCE(b.place_key, r.place_key, o.place_key) IS NOT NULL;
CREATE UNIQUE INDEX t_means_key ON t_means (place_key, src);
CREATE INDEX t_means_bed ON t_means (bed_key, src);

-- part stays
CREATE TEMP TABLE t_use AS
SELECT u.src, u.stay_key, u.place_key, u.start_at, u.end_at,
       COALESCE(u.role, CASE WHEN u.end_at <= rule.as_at THEN 'past' WHEN u.start_at > rule.as_at THEN 'planned'
                             ELSE 'active' END) AS role
FROM r_stay_bed u, rule;
CREATE INDEX t_use_stay ON t_use (stay_key, src);
CREATE INDEX t_use_place ON t_use (place_key, src);

-- The home of the bed that a stay uses now, else holds, plans, used; of two, the newest.
CREATE TEMP TABLE t_use_again AS SELECT stay_key, src FROM t_use GROUP BY stay_key, src HAVING COUNT(*) > 1;
CREATE TEMP TABLE t_use_at AS
SELECT u.src, u.stay_key, a.loc FROM t_use u CROSS JOIN t_at a ON a.src = u.src AND a.place_key = u.place_key
WHERE a.loc IS NOT NULL AND (u.stay_key, u.src) NOT IN t_use_again
UNION ALL
SELECT src, stay_key, loc FROM (
  SELECT u.src, u.stay_key, a.loc,
         ROW_NUMBER() OVER (PARTITION BY u.src, u.stay_key ORDER BY
           CASE u.role WHEN 'active' THEN 0 WHEN 'held' THEN 1 WHEN 'planned' THEN 2 ELSE 3 END,
           u.start_at DESC, a.loc) AS n
  FROM t_use_again m CROSS JOIN t_use u ON u.stay_key = m.stay_key AND u.src = m.src
  CROSS JOIN t_at a ON a.src = u.src AND a.place_key = u.place_key AND a.loc IS NOT NULL)
WHERE n = 1;
CREATE UNIQUE INDEX t_use_at_stay ON t_use_at (stay_key, src);

-- An EpisodeOfCare read as a stay names itself as its episode.
CREATE TEMP TABLE t_told AS
SELECT s.src, s.stay_key, s.person_key, s.episode_key, s.class, s.start_at, s.end_at, s.status, s.bed_type,
       COALESCE(s.site, u.loc, o.site, w.loc) AS loc, s.episode_key IS NOT NULL AND s.episode_key = s.stay_key AS episode
FROM r_stay s
LEFT JOIN t_use_at u ON u.src = s.src AND u.stay_key = s.stay_key
LEFT JOIN t_org o ON o.src = s.src AND o.organisation_key = s.organisation_key
LEFT JOIN t_whole w ON w.src = s.src
WHERE COALESCE(s.class, '') <> 'visit' AND COALESCE(s.status, '') <> 'void';
CREATE INDEX t_told_person ON t_told (person_key, src);
CREATE INDEX t_told_episode ON t_told (episode_key, src) WHERE episode_key IS NOT NULL;

-- An episode is a home's stay unless the location gives home care only, or gives both and the type does not tell; and
-- it counts only where no Encounter tells the same stay, by its own link or by the person at that home.
CREATE TEMP TABLE t_stay AS
SELECT t.src, t.stay_key, t.person_key, t.loc, t.start_at, t.bed_type,
       COALESCE(t.class, CASE WHEN t.episode AND e.home_care = 0 THEN 'residential' END) AS kind,
       CASE WHEN t.status IS NULL THEN 'unresolved'
            WHEN t.status IN ('current', 'current_absent') AND t.end_at <= rule.as_at THEN 'unresolved'
            ELSE t.status END AS state,
       -- The end of a stay that says it is current is not believed, so that its bed stays off sale.
       CASE WHEN t.status IN ('current', 'current_absent') AND t.end_at <= rule.as_at THEN NULL ELSE t.end_at END AS end_at,
       t.status IS NULL AS status_unknown, t.end_at AS told_end_at
FROM t_told t JOIN entry_source s ON s.src = t.src AND s.loc = t.loc JOIN entry e ON e.loc = t.loc, rule
WHERE NOT t.episode
   OR (e.care_home = 1
       AND NOT EXISTS (SELECT 1 FROM t_told x WHERE x.src = t.src AND x.episode_key = t.stay_key AND NOT x.episode
                         AND COALESCE(x.class, 'residential') = 'residential')
       AND NOT EXISTS (SELECT 1 FROM t_told x JOIN person_group a ON a.person_key = x.person_key
                         JOIN person_group b ON b.person_key = t.person_key AND b.survivor_key = a.survivor_key
                       WHERE x.src = t.src AND x.loc = t.loc AND NOT x.episode AND x.status <> 'ended'
                         AND COALESCE(x.class, 'residential') = 'residential'
                         AND (x.status = 'planned') = (t.status = 'planned')));
CREATE INDEX t_stay_key ON t_stay (stay_key, src);

-- part reservations
CREATE TEMP TABLE t_booking AS
SELECT r.src, r.reservation_key AS res_key, COALESCE(r.site, a.loc, o.site, w.loc) AS loc, m.bed_key,
       COALESCE(r.places, 1) AS places, r.strength, COALESCE(r.made_at, '0001-01-01T00:00:00Z') AS made_at,
       r.start_at, r.end_at, p.survivor_key AS person
FROM r_reservation r
LEFT JOIN t_at a ON a.src = r.src AND a.place_key = r.place_key
LEFT JOIN t_means m ON m.src = r.src AND m.place_key = r.place_key
LEFT JOIN t_org o ON o.src = r.src AND o.organisation_key = r.organisation_key
-- One booking names a bed; another with no place of ours at all is no booking of ours, whatever the source serves.
LEFT JOIN t_whole w ON w.src = r.src AND r.place_key IS NULL
LEFT JOIN person_group p ON p.person_key = r.person_key
WHERE COALESCE(r.strength, '') <> 'void'
UNION ALL
SELECT s.src, s.stay_key, s.loc, (SELECT MIN(m.bed_key) FROM t_use u JOIN t_means m ON m.src = u.src AND m.place_key = u.place_key
                                  WHERE u.src = s.src AND u.stay_key = s.stay_key AND u.role <> 'past'),
       1, 'firm', '0001-01-01T00:00:00Z', s.start_at, s.end_at, p.survivor_key
FROM t_stay s LEFT JOIN person_group p ON p.person_key = s.person_key
WHERE s.state = 'planned' AND s.kind = 'residential';

-- One booking can be told twice, as a planned stay and as an appointment: same person, home and first day; or nobody
-- named, same bed and start as another.  The telling that names a bed, then the firm one, stands for both.
CREATE TEMP TABLE t_reservation AS
SELECT src, res_key, loc, bed_key, places, strength, made_at, start_at, end_at FROM (
  SELECT b.*, ROW_NUMBER() OVER (
           PARTITION BY src, loc, COALESCE(person, res_key), CASE WHEN person IS NOT NULL THEN substr(start_at, 1, 10) END
           ORDER BY bed_key IS NULL, strength <> 'firm', made_at, start_at, end_at, res_key) AS n
  FROM t_booking b JOIN entry_source s USING (src, loc)
  WHERE strength IS NOT NULL AND start_at IS NOT NULL) q
WHERE n = 1
  AND NOT (person IS NULL AND bed_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM t_booking o WHERE o.src = q.src AND o.bed_key = q.bed_key AND o.start_at = q.start_at
          AND o.strength IS NOT NULL AND o.person IS NOT NULL));

-- part services
CREATE TEMP TABLE t_service_user AS
SELECT s.src, s.service_user_key, s.person_key, COALESCE(s.site, o.site, w.loc) AS loc, s.status AS state,
       s.start_at, s.end_at, s.personal_care
FROM r_service_user s
LEFT JOIN t_org o ON o.src = s.src AND o.organisation_key = s.organisation_key
LEFT JOIN t_whole w ON w.src = s.src
WHERE COALESCE(s.status, '') <> 'void';

-- An episode is also told as a stay; what is one here is none there.
DELETE FROM t_service_user WHERE loc IS NULL OR NOT EXISTS (
  SELECT 1 FROM entry e JOIN entry_source x ON x.loc = e.loc
  WHERE e.loc = t_service_user.loc AND x.src = t_service_user.src AND e.home_care = 1);
DELETE FROM t_service_user WHERE EXISTS (
  SELECT 1 FROM t_told t JOIN entry e ON e.loc = t.loc
  WHERE t.src = t_service_user.src AND t.stay_key = t_service_user.service_user_key AND t.episode
    AND (t.class IN ('residential', 'day_care', 'not_social_care') OR (t.class IS NULL AND e.care_home = 1)));

-- part staff
-- A post that names several places, or that is told again, has several rows, which can come to the same.
CREATE INDEX r_post_key ON r_post (post_key, src);
CREATE TEMP TABLE t_post_again AS SELECT post_key, src FROM r_post GROUP BY post_key, src HAVING COUNT(*) > 1;
CREATE TEMP TABLE t_post AS
SELECT r.src, r.post_key, r.worker_key, COALESCE(r.site, a.loc, o.site, CASE WHEN r.place_key IS NULL AND r.organisation_key IS NULL THEN w.loc END) AS loc,
       r.role_group, r.engagement, r.care_type, r.active, r.start_at, r.end_at, r.last_shift_at, r.organisation_key,
       r.placeholder, (r.post_key, r.src) IN t_post_again AS again
FROM r_post r
LEFT JOIN t_at a ON a.src = r.src AND a.place_key = r.place_key
LEFT JOIN t_org o ON o.src = r.src AND o.organisation_key = r.organisation_key
LEFT JOIN t_whole w ON w.src = r.src;

CREATE TEMP TABLE t_staff_post AS
WITH told AS (
SELECT t.src, t.post_key, t.worker_key, t.loc, COALESCE(t.role_group, 'operator_choice') AS role_group,
       COALESCE(t.engagement, e.engagement, 'operator_choice') AS engagement,
       COALESCE(t.care_type, CASE WHEN e.care_home + e.home_care = 1 THEN CASE e.care_home WHEN 1 THEN 'care_home' ELSE 'home_care' END END) AS care_type,
       COALESCE(t.active, 1) AS active, COALESCE(t.start_at, '0001-01-01T00:00:00Z') AS start_at, t.end_at, t.last_shift_at,
       t.placeholder, t.again
FROM t_post t JOIN entry_source s ON s.src = t.src AND s.loc = t.loc JOIN entry e ON e.loc = t.loc)
SELECT * FROM told WHERE NOT again UNION ALL SELECT DISTINCT * FROM told WHERE again;
CREATE INDEX t_staff_post_worker ON t_staff_post (worker_key, loc);

-- Shifts that were worked, not the ones to come; one without a home counts for the only home where its worker has a post.
CREATE TEMP TABLE t_shift AS
SELECT worker_key, loc, MAX(at) AS at FROM (
  SELECT r.worker_key, COALESCE(r.site, h.loc) AS loc, r.at
  FROM r_shift r LEFT JOIN (SELECT worker_key, MIN(loc) AS loc FROM t_staff_post GROUP BY worker_key
                            HAVING COUNT(DISTINCT loc) = 1) h ON h.worker_key = r.worker_key, rule
  WHERE r.at <= rule.as_at)
WHERE loc IS NOT NULL GROUP BY worker_key, loc;
CREATE UNIQUE INDEX t_shift_worker ON t_shift (worker_key, loc);

-- part absences
-- An absence that names no home is from every home where the worker has a post.
CREATE TEMP TABLE t_absence AS
SELECT DISTINCT r.src, r.absence_key, r.worker_key, COALESCE(r.site, p.loc, w.loc) AS loc,
       COALESCE(r.category, 'operator_choice') AS category,
       COALESCE(r.start_at, '0001-01-01T00:00:00Z') AS start_at, r.end_at
FROM r_absence r
LEFT JOIN (SELECT DISTINCT worker_key, loc_key AS loc FROM staff_post) p ON r.site IS NULL AND p.worker_key = r.worker_key
LEFT JOIN t_whole w ON w.src = r.src;

-- part others
CREATE TEMP TABLE t_hours AS
SELECT r.src, r.site AS loc,
       COALESCE(r.care_type, CASE WHEN e.care_home + e.home_care = 1 THEN CASE e.care_home WHEN 1 THEN 'care_home' ELSE 'home_care' END END) AS care_type,
       r.measure, r.unit, r.period_start, r.period_end, r.value, r.as_at, r.provisional
FROM r_hours r JOIN entry_source s ON s.src = r.src AND s.loc = r.site JOIN entry e ON e.loc = r.site;

CREATE TEMP TABLE t_operator_value AS
SELECT r.src, r.site AS loc,
       COALESCE(r.care_type, CASE WHEN e.care_home + e.home_care = 1 THEN CASE e.care_home WHEN 1 THEN 'care_home' ELSE 'home_care' END END) AS care_type,
       r.item, r.bed_type, r.value, COALESCE(r.as_at, x.read_at, rule.as_at) AS as_at
FROM r_given_total r JOIN entry_source s ON s.src = r.src AND s.loc = r.site JOIN entry e ON e.loc = r.site
JOIN source_read x ON x.src = r.src, rule;

-- part doses
-- Procedure first, then product, then target disease; a code that says not seasonal, declined or not given vetoes.
CREATE TEMP TABLE t_dose AS
SELECT r.src, r.dose_key, r.subject_key, r.subject_kind, r.status, r.earliest, r.latest, r.subpotent, r.secondary,
       CASE WHEN 'not_seasonal' IN (r.procedure, r.product, r.target) THEN 'not_seasonal'
            WHEN 'declined' IN (r.procedure, r.product, r.target) OR 'not_given' IN (r.procedure, r.product, r.target) THEN 'not_given'
            ELSE COALESCE(NULLIF(r.procedure, 'none'), NULLIF(r.product, 'none'), NULLIF(r.target, 'none')) END AS told,
       CASE WHEN r.subject_kind = 'worker' THEN 'hr_flag'
            WHEN NULLIF(r.procedure, 'none') IS NOT NULL THEN 'procedure'
            WHEN NULLIF(r.product, 'none') IS NOT NULL THEN 'product' ELSE 'target_disease' END AS evidence
FROM r_dose r WHERE r.status <> 'void';

-- part fill places
-- A planned stay without a start cannot be a stay; its booking is told as reservation_undated.
INSERT INTO stay
SELECT s.stay_key, s.person_key, s.loc, s.kind, s.state, COALESCE(s.start_at, '0001-01-01T00:00:00Z'), s.end_at,
       s.bed_type
FROM t_stay s CROSS JOIN chosen c ON c.tbl = 'stay' AND c.loc = s.loc AND c.src = s.src
WHERE s.kind IS NOT NULL AND (s.start_at IS NOT NULL OR s.state <> 'planned');
CREATE TEMP TABLE t_stay_in AS SELECT stay_key, state, start_at, end_at FROM stay;
CREATE INDEX t_stay_in_key ON t_stay_in (stay_key);

-- A bed that says it is occupied while nobody stays in it is not vacant either (v2-0116 O).
CREATE TEMP TABLE t_flagged AS
SELECT b.src, b.loc, b.place_key FROM t_bed b, rule
WHERE b.operational = 'occupied_flag' AND NOT EXISTS (
  SELECT 1 FROM t_means m CROSS JOIN t_use u ON u.place_key = m.place_key AND u.src = m.src
  CROSS JOIN t_stay_in s ON s.stay_key = u.stay_key AND (u.role IN ('active', 'held') OR s.state = 'to_hospital')
  WHERE m.bed_key = b.place_key AND m.src = b.src
    AND s.state IN ('current', 'current_absent', 'unresolved', 'to_hospital') AND s.start_at <= rule.as_at);
CREATE INDEX t_flagged_key ON t_flagged (place_key, src);

INSERT INTO bed
SELECT b.place_key, b.loc, COALESCE(b.bed_type, e.bed_type), COALESCE(b.places, 1),
       CASE WHEN b.status = 'not_in_capacity' THEN 'out_of_capacity'
            WHEN b.status = 'in_capacity_unavailable' OR b.operational = 'unavailable' OR f.place_key IS NOT NULL THEN 'unavailable'
            ELSE 'available' END,
       COALESCE(b.accepting, e.accepting), b.flexible
FROM t_bed b CROSS JOIN chosen c ON c.tbl = 'bed' AND c.loc = b.loc AND c.src = b.src CROSS JOIN entry e ON e.loc = b.loc
LEFT JOIN t_flagged f ON f.src = b.src AND f.place_key = b.place_key;
CREATE TEMP TABLE t_bed_in AS SELECT bed_key FROM bed;
CREATE UNIQUE INDEX t_bed_in_key ON t_bed_in (bed_key);

-- Where the end of a stay is not believed, neither is that of the bed that it says to have left with it.
CREATE TEMP TABLE t_doubted AS
SELECT src, stay_key, MAX(told_end_at) AS told_end_at FROM t_stay
WHERE (stay_key, src) IN (SELECT stay_key, src FROM t_stay WHERE state = 'unresolved') GROUP BY stay_key, src;
CREATE UNIQUE INDEX t_doubted_key ON t_doubted (stay_key, src);

INSERT INTO stay_bed
SELECT DISTINCT stay_key, bed_key, CASE WHEN doubted AND role = 'past' THEN 'active' ELSE role END, start_at,
       CASE WHEN doubted THEN NULL ELSE end_at END
FROM (SELECT u.stay_key, m.bed_key, u.role, COALESCE(u.start_at, s.start_at) AS start_at, COALESCE(u.end_at, s.end_at) AS end_at,
             s.state = 'unresolved' AND u.end_at >= d.told_end_at AS doubted
      FROM t_use u JOIN t_means m ON m.src = u.src AND m.place_key = u.place_key
      JOIN t_stay_in s ON s.stay_key = u.stay_key JOIN t_bed_in b ON b.bed_key = m.bed_key
      LEFT JOIN t_doubted d ON d.stay_key = u.stay_key AND d.src = u.src);

INSERT INTO reservation
SELECT r.res_key, r.loc, b.bed_key, r.places, r.strength, r.made_at, r.start_at, r.end_at
FROM t_reservation r CROSS JOIN chosen c ON c.tbl = 'reservation' AND c.loc = r.loc AND c.src = r.src
LEFT JOIN t_bed_in b ON b.bed_key = r.bed_key;

INSERT INTO service_user
SELECT s.service_user_key, s.person_key, s.loc, s.state, COALESCE(s.start_at, '0001-01-01T00:00:00Z'), s.end_at,
       s.personal_care
FROM t_service_user s CROSS JOIN chosen c ON c.tbl = 'service_user' AND c.loc = s.loc AND c.src = s.src
WHERE s.state IS NOT NULL AND (s.start_at IS NOT NULL OR s.state <> 'planned');

-- part fill staff
INSERT INTO staff_post
WITH told AS (
SELECT t.post_key, t.worker_key, t.loc, t.role_group, t.engagement, t.care_type, t.active, t.start_at, t.end_at,
       NULLIF(MAX(COALESCE(CASE WHEN t.last_shift_at <= rule.as_at THEN t.last_shift_at END, ''), COALESCE(s.at, '')), '')
         AS last_shift_at,
       t.placeholder, t.again
FROM t_staff_post t CROSS JOIN chosen c ON c.tbl = 'staff_post' AND c.loc = t.loc AND c.src = t.src AND c.care = COALESCE(t.care_type, '')
LEFT JOIN t_shift s ON s.worker_key = t.worker_key AND s.loc = t.loc, rule)
SELECT post_key, worker_key, loc, role_group, engagement, care_type, active, start_at, end_at, last_shift_at, placeholder
FROM told WHERE NOT again
UNION ALL
SELECT DISTINCT post_key, worker_key, loc, role_group, engagement, care_type, active, start_at, end_at, last_shift_at, placeholder
FROM told WHERE again;

-- part fill others
INSERT INTO absence
SELECT DISTINCT a.absence_key, a.worker_key, a.loc, a.category, a.start_at, a.end_at
FROM t_absence a CROSS JOIN chosen c ON c.tbl = 'absence' AND c.loc = a.loc AND c.src = a.src;

INSERT INTO hours
SELECT h.loc, h.care_type, h.measure, h.unit, h.period_start, h.period_end, h.value, h.as_at, h.provisional
FROM t_hours h CROSS JOIN chosen c ON c.tbl = 'hours' AND c.loc = h.loc AND c.src = h.src AND c.care = COALESCE(h.care_type, '');

INSERT INTO operator_value
SELECT v.loc, v.care_type, v.item, v.bed_type, v.value, v.as_at, NULL, 'file'
FROM t_operator_value v CROSS JOIN chosen c ON c.tbl = 'operator_value' AND c.loc = v.loc AND c.src = v.src AND c.care = COALESCE(v.care_type, '')
WHERE NOT EXISTS (SELECT 1 FROM item_order o WHERE o.loc = v.loc AND o.item = v.item);
-- An item with an order of its own takes its total from the first of those sources that states one.
INSERT INTO operator_value
SELECT v.loc, v.care_type, v.item, v.bed_type, v.value, v.as_at, NULL, 'file'
FROM t_operator_value v JOIN item_order o ON o.loc = v.loc AND o.item = v.item AND o.src = v.src
WHERE NOT EXISTS (SELECT 1 FROM t_operator_value w JOIN item_order p ON p.loc = w.loc AND p.item = w.item AND p.src = w.src
                  WHERE w.loc = v.loc AND w.item = v.item AND COALESCE(w.care_type, '') = COALESCE(v.care_type, '')
                    AND p.place < o.place);

CREATE TEMP TABLE t_here AS
SELECT person_key, loc_key AS loc, state, start_at, end_at, kind FROM stay
UNION ALL SELECT person_key, loc_key, state, start_at, end_at, NULL FROM service_user;
CREATE INDEX t_here_person ON t_here (person_key);

-- Only the people who stay or are served here, and every record that is one of theirs.
CREATE TEMP TABLE t_ours AS
SELECT DISTINCT g.survivor_key, x.loc FROM t_here x CROSS JOIN person_group g ON g.person_key = x.person_key;
CREATE INDEX t_ours_survivor ON t_ours (survivor_key);

INSERT INTO person
SELECT g.person_key, g.survivor_key,
       COALESCE(MAX(p.deceased = 1 OR (p.deceased_at IS NOT NULL AND p.deceased_at <= rule.as_at)), 0)
FROM person_group g LEFT JOIN r_person p ON p.person_key = g.person_key, rule
WHERE g.survivor_key IN (SELECT survivor_key FROM t_ours)
GROUP BY g.person_key;

-- One dose is told once, however many homes its subject has.
CREATE TEMP TABLE t_dose_at AS
SELECT d.*, o.loc FROM t_dose d CROSS JOIN person_group g ON g.person_key = d.subject_key
CROSS JOIN t_ours o ON o.survivor_key = g.survivor_key WHERE d.subject_kind = 'person'
UNION ALL
SELECT d.*, s.loc_key FROM t_dose d JOIN (SELECT DISTINCT worker_key, loc_key FROM staff_post) s ON s.worker_key = d.subject_key
WHERE d.subject_kind = 'worker';

INSERT INTO vaccination
SELECT DISTINCT dose_key, subject_key, subject_kind, told, status, earliest, latest, evidence, subpotent, secondary
FROM t_dose_at WHERE told IN ('flu', 'covid');

-- part diagnostics
INSERT INTO diagnostic
SELECT loc, rule, COUNT(*) FROM (
  SELECT a.loc, 'bed_wrong_site' AS rule FROM t_at a JOIN t_place p ON p.src = a.src AND p.place_key = a.place_key
  WHERE a.elsewhere AND p.physical IN ('bed', 'room') AND COALESCE(p.mode, 'count') = 'count'
  UNION ALL SELECT loc, 'bed_status_conflict' FROM t_flagged JOIN t_bed_in ON bed_key = place_key
  UNION ALL SELECT s.loc, 'place_in_loop' FROM (
            SELECT p.src FROM t_place p LEFT JOIN t_tree t ON t.src = p.src AND t.place_key = p.place_key
            WHERE t.place_key IS NULL) x CROSS JOIN entry_source s ON s.src = x.src
  -- What a code that is not known leaves out of a count or in doubt, by the table that is short of it.
  UNION ALL SELECT s.loc, 'unmapped.stay' FROM t_stay s WHERE (s.kind IS NULL AND s.state <> 'ended') OR (
            s.status_unknown AND COALESCE(s.kind, 'residential') = 'residential')
  UNION ALL SELECT b.loc, 'unmapped.reservation' FROM t_booking b JOIN entry_source s USING (src, loc) WHERE b.strength IS NULL
  UNION ALL SELECT s.loc, 'unmapped.service_user' FROM t_service_user s WHERE s.state IS NULL
  UNION ALL SELECT s.loc, 'stay_class_unknown' FROM t_stay s WHERE s.kind IS NULL AND s.state <> 'ended'
  UNION ALL SELECT s.loc, 'stay_status_unknown' FROM t_stay s WHERE s.status_unknown AND COALESCE(s.kind, 'residential') = 'residential'
  UNION ALL SELECT s.loc, 'stay_unplaced' FROM (
            SELECT src FROM t_told WHERE loc IS NULL AND class = 'residential' AND COALESCE(status, '') <> 'ended') x
            CROSS JOIN entry_source s ON s.src = x.src
  UNION ALL SELECT b.loc, 'reservation_undated' FROM t_booking b JOIN entry_source s USING (src, loc) WHERE b.start_at IS NULL
  UNION ALL SELECT b.loc, 'reservation_unclear' FROM t_booking b JOIN entry_source s USING (src, loc) WHERE b.strength IS NULL
  UNION ALL SELECT s.loc, 'service_status_unknown' FROM t_service_user s WHERE s.state IS NULL
  UNION ALL SELECT s.loc, 'service_status_conflict' FROM t_service_user s, rule
            WHERE s.state IN ('current', 'on_hold') AND s.end_at <= rule.as_at
  UNION ALL SELECT g.site, 'post_home_unclear' FROM t_post t JOIN t_group g ON g.src = t.src AND g.organisation_key = t.organisation_key, rule
            WHERE t.loc IS NULL AND COALESCE(t.active, 1) = 1 AND (t.end_at IS NULL OR t.end_at > rule.as_at)
  UNION ALL SELECT s.loc, 'shift_without_post' FROM t_shift s, rule
            WHERE s.at > rule.week_ago
              AND NOT EXISTS (SELECT 1 FROM t_staff_post p WHERE p.worker_key = s.worker_key AND p.loc = s.loc)
  UNION ALL SELECT loc, 'vax_unmapped_code' FROM (
            SELECT DISTINCT loc, src, dose_key FROM t_dose_at, rule
            WHERE told IS NULL AND status = 'completed' AND COALESCE(latest, '9999') >= rule.year_ago)
  UNION ALL SELECT loc, 'nhs_number_placeholder' FROM (
            SELECT DISTINCT s.loc, n.person_key FROM r_person_number n CROSS JOIN t_here s ON s.person_key = n.person_key, rule
            WHERE n.placeholder = 1 AND s.state IN ('current', 'current_absent', 'on_hold', 'unresolved')
              AND (s.end_at IS NULL OR s.end_at > rule.as_at))
  UNION ALL SELECT loc, 'inactive_patient_stay' FROM (
            SELECT DISTINCT s.loc, s.person_key FROM r_person p CROSS JOIN t_here s ON s.person_key = p.person_key, rule
            WHERE p.active = 0 AND s.kind = 'residential' AND s.state IN ('current', 'current_absent')
              AND s.start_at <= rule.as_at AND (s.end_at IS NULL OR s.end_at > rule.as_at))
) GROUP BY loc, rule;

-- part counted
SELECT 'stay', loc, '', src, COUNT(*) FROM t_stay GROUP BY loc, src
UNION ALL SELECT 'bed', loc, '', src, COUNT(*) FROM t_bed GROUP BY loc, src
UNION ALL SELECT 'reservation', loc, '', src, COUNT(*) FROM t_reservation GROUP BY loc, src
UNION ALL SELECT 'service_user', loc, '', src, COUNT(*) FROM t_service_user GROUP BY loc, src
UNION ALL SELECT 'staff_post', loc, COALESCE(care_type, ''), src, COUNT(*) FROM t_staff_post GROUP BY loc, src, 3;

-- part counted later
SELECT tbl, loc, care, src, COUNT(*) FROM (
  SELECT 'absence' AS tbl, loc, '' AS care, src FROM t_absence WHERE loc IS NOT NULL
  UNION ALL SELECT 'hours', loc, COALESCE(care_type, ''), src FROM t_hours
  UNION ALL SELECT 'operator_value', loc, COALESCE(care_type, ''), src FROM t_operator_value
) GROUP BY tbl, loc, care, src;

-- part counted last
SELECT 'vaccination', loc, '', src, COUNT(DISTINCT dose_key) FROM t_dose_at WHERE told IN ('flu', 'covid') GROUP BY loc, src
UNION ALL
SELECT 'person', o.loc, '', p.src, COUNT(DISTINCT p.person_key)
FROM r_person p CROSS JOIN person_group g ON g.person_key = p.person_key
CROSS JOIN t_ours o ON o.survivor_key = g.survivor_key
GROUP BY o.loc, p.src
UNION ALL
SELECT 'stay_bed', s.loc, '', s.src, COUNT(*) FROM t_stay s CROSS JOIN t_use u ON u.src = s.src AND u.stay_key = s.stay_key
GROUP BY s.loc, s.src;

-- part unplaced
SELECT 'bed', src FROM t_place WHERE physical IN ('bed', 'room') AND NOT EXISTS (
  SELECT 1 FROM t_at a WHERE a.src = t_place.src AND a.place_key = t_place.place_key AND a.loc IS NOT NULL)
UNION SELECT 'stay', src FROM t_told WHERE loc IS NULL AND COALESCE(status, '') <> 'ended'
UNION SELECT 'reservation', src FROM t_booking WHERE loc IS NULL
UNION SELECT 'service_user', src FROM r_service_user s WHERE s.site IS NULL
             AND NOT EXISTS (SELECT 1 FROM t_org o WHERE o.src = s.src AND o.organisation_key = s.organisation_key AND o.site IS NOT NULL)
UNION SELECT 'staff_post', src FROM t_post WHERE loc IS NULL;

-- part sites told twice
SELECT p.src, p.site FROM t_place p LEFT JOIN t_tree u ON u.src = p.src AND u.place_key = p.part_of_key
WHERE p.site IS NOT NULL AND COALESCE(p.physical, 'other') NOT IN ('bed', 'room') AND COALESCE(p.mode, 'count') = 'count'
  AND COALESCE(u.site, '') <> p.site
GROUP BY p.src, p.site HAVING COUNT(*) > 1;

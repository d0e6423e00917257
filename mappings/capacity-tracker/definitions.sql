-- The definitions: who is resident, in which state a place is, who counts as staff, who is vaccinated.
--
-- Canonical tables in, the measures of the item language out (place, resident, person_served, worker, absent_worker,
-- vaccinated_resident, vaccinated_worker, monthly_hours), each with a column n that is summed.  Every edge rule is
-- here once; what can be set otherwise stands in settings.toml and arrives in the one-row table param.
-- Other tables that arrive: standing (items whose declared value lasts until it is changed) and campaign_now (the
-- campaign asked in this window, by disease).  No definition here is official: Capacity Tracker publishes none for
-- the edges, so each has its reason beside it.

-- 0. What a person declared and is still in force, and what a file states as a total: the newest unsplit row, or the
--    sum of the newest row per bed type, whichever is newer.  A declaration without an expiry of its own lasts for one
--    window: made up to the 14th it is for that month's window, made later for the next month's.
CREATE TEMP TABLE said_newest AS
SELECT loc_key, item_id, origin, bed_type, value, as_at FROM (
  SELECT o.loc_key, o.item_id, o.origin, o.bed_type, o.value, o.as_at,
         ROW_NUMBER() OVER (PARTITION BY o.loc_key, o.item_id, o.origin, o.bed_type
                            ORDER BY o.as_at DESC, o.value DESC) AS n
  FROM operator_value o JOIN param p LEFT JOIN standing s ON s.item_id = o.item_id
  WHERE o.as_at <= p.as_at AND (o.expires_at IS NULL OR o.expires_at > p.as_at)
    AND (o.origin = 'file' OR o.expires_at IS NOT NULL OR s.item_id IS NOT NULL OR p.declared_until_changed = 1
         OR strftime('%Y-%m', o.as_at, '-14 days', 'start of month', '+1 month') >= p.window))
WHERE n = 1;

CREATE TEMP TABLE said AS
SELECT loc_key, item_id, origin, whole, CASE WHEN whole THEN whole_value ELSE split_sum END AS value,
       CASE WHEN whole THEN whole_at ELSE split_at END AS said_at FROM (
  SELECT loc_key, item_id, origin,
         COALESCE(MAX(CASE WHEN bed_type IS NULL THEN as_at END), '')
           >= COALESCE(MAX(CASE WHEN bed_type IS NOT NULL THEN as_at END), '') AS whole,
         MAX(CASE WHEN bed_type IS NULL THEN value END) AS whole_value,
         MAX(CASE WHEN bed_type IS NULL THEN as_at END) AS whole_at, MIN(CASE WHEN bed_type IS NOT NULL THEN as_at END) AS split_at,
         SUM(CASE WHEN bed_type IS NOT NULL THEN CAST(value AS NUMERIC) END) AS split_sum
  FROM said_newest GROUP BY loc_key, item_id, origin);

CREATE TEMP TABLE said_number AS
SELECT loc_key, item_id, origin, CAST(value AS INTEGER) AS n FROM said
WHERE CAST(CAST(value AS INTEGER) AS TEXT) = CAST(value AS TEXT) AND CAST(value AS INTEGER) >= 0;

-- 1. Who is resident, and where.  One current place per person: the newest stay wins.  A person on leave (in hospital,
--    with family) keeps theirs as well.  A person who has died is not resident, whatever the stay says.
CREATE TEMP TABLE died AS SELECT DISTINCT survivor_key FROM person WHERE deceased = 1;

-- A record that closes the stay when somebody goes to hospital: on leave for a set number of days, unless the person has
-- come back in a newer stay, here or elsewhere.
CREATE TEMP TABLE hospital_leave AS
SELECT h.stay_key FROM stay h JOIN param LEFT JOIN person p ON p.person_key = h.person_key
JOIN (SELECT COALESCE(p.survivor_key, s.person_key) AS person, MAX(s.start_at) AS newest
      FROM stay s JOIN param LEFT JOIN person p ON p.person_key = s.person_key
      WHERE s.kind = 'residential' AND s.state NOT IN ('planned', 'void') AND s.start_at <= as_at GROUP BY 1) b
  ON b.person = COALESCE(p.survivor_key, h.person_key)
WHERE h.kind = 'residential' AND h.state = 'to_hospital' AND h.end_at > hospital_since AND h.end_at <= as_at
  AND b.newest < h.end_at;

CREATE TEMP TABLE open_stay AS
SELECT s.stay_key, s.person_key, COALESCE(p.survivor_key, s.person_key) AS person, s.loc_key, s.start_at, s.bed_type,
       CASE WHEN h.stay_key IS NOT NULL THEN 'current_absent' WHEN s.state = 'to_hospital' THEN 'current' ELSE s.state END AS state,
       CASE s.state WHEN 'to_hospital' THEN s.end_at END AS left_at, d.survivor_key IS NOT NULL AS dead
FROM stay s JOIN param LEFT JOIN person p ON p.person_key = s.person_key
     LEFT JOIN died d ON d.survivor_key = COALESCE(p.survivor_key, s.person_key)
     LEFT JOIN hospital_leave h ON h.stay_key = s.stay_key
WHERE s.kind = 'residential' AND s.start_at <= as_at
  AND (h.stay_key IS NOT NULL OR (s.state IN ('current', 'current_absent', 'unresolved') AND (s.end_at IS NULL OR s.end_at > as_at))
       OR (s.state = 'to_hospital' AND s.end_at > as_at));

-- The bed of a stay on hospital leave is the one it used until then, whatever became of the assignment.
CREATE TEMP TABLE open_use AS
SELECT s.stay_key, s.person, s.loc_key, b.bed_key, CASE b.role WHEN 'held' THEN 'held' ELSE 'active' END AS role, b.start_at
FROM open_stay s JOIN stay_bed b ON b.stay_key = s.stay_key JOIN param
WHERE b.start_at <= as_at
  AND ((b.role IN ('active', 'held') AND (b.end_at IS NULL OR b.end_at > as_at))
       OR (s.left_at IS NOT NULL AND b.role <> 'planned' AND (b.end_at IS NULL OR b.end_at >= s.left_at)));

-- Who has several open stays, or several beds in use by one: only of them is it asked which counts.
-- Two stays or two beds that began at the same moment: what they are decides, not their keys, which are new in every
-- run; so the same records always give the same figures.
CREATE TEMP TABLE contested AS
SELECT person FROM open_stay GROUP BY person HAVING COUNT(*) > 1
UNION SELECT person FROM open_use WHERE role = 'active' GROUP BY stay_key HAVING COUNT(*) > 1;

CREATE TEMP TABLE bed_mark AS
SELECT b.bed_key, printf('%s %s %d %d %d %d %s %s', b.state = 'out_of_capacity', b.loc_key, COUNT(DISTINCT o.person),
                         COUNT(DISTINCT r.res_key), b.places, COALESCE(b.accepting, -1), b.state || COALESCE(b.bed_type, ''),
                         COALESCE(b.flexible, 0) || COALESCE(MIN(s.bed_type) || MAX(s.bed_type), '')) AS mark
FROM bed b JOIN open_use o ON o.bed_key = b.bed_key JOIN open_stay s ON s.stay_key = o.stay_key LEFT JOIN reservation r ON r.bed_key = b.bed_key
WHERE b.bed_key IN (SELECT bed_key FROM open_use WHERE person IN (SELECT person FROM contested))
GROUP BY b.bed_key;

CREATE TEMP TABLE stay_mark AS
SELECT o.stay_key, COUNT(m.mark) || COALESCE(MIN(o.start_at || o.role || m.mark) || MAX(o.start_at || o.role || m.mark), '') AS mark
FROM open_use o LEFT JOIN bed_mark m ON m.bed_key = o.bed_key
WHERE o.person IN (SELECT person FROM contested) GROUP BY o.stay_key;

CREATE TEMP TABLE current_stay AS
SELECT stay_key, person, loc_key, state, 1 AS n
FROM open_stay WHERE dead = 0 AND state <> 'unresolved' AND person NOT IN contested
UNION ALL
SELECT s.stay_key, person, loc_key, state,
       ROW_NUMBER() OVER (PARTITION BY person, state ORDER BY start_at DESC, loc_key, m.mark DESC, s.bed_type, s.stay_key)
FROM open_stay s LEFT JOIN stay_mark m ON m.stay_key = s.stay_key
WHERE dead = 0 AND state <> 'unresolved' AND person IN contested;

CREATE TEMP TABLE resident_stay AS
SELECT stay_key, person, loc_key FROM current_stay WHERE state = 'current_absent' OR n = 1;

CREATE TEMP TABLE resident AS SELECT DISTINCT loc_key, person, 1 AS n FROM resident_stay;

-- 2. Which beds those stays use: the newest active bed of each stay, and every bed held for it.  A bed held for a
--    present resident (FHIR `reserved`) is occupied, not a vacant reserved one.
CREATE TEMP TABLE bed_claim AS
SELECT stay_key, person, loc_key, bed_key, role, 1 AS n
FROM open_use WHERE person NOT IN contested AND stay_key IN (SELECT stay_key FROM resident_stay)
UNION ALL
SELECT u.stay_key, u.person, u.loc_key, u.bed_key, u.role,
       ROW_NUMBER() OVER (PARTITION BY u.stay_key, u.role ORDER BY u.start_at DESC, m.mark, u.bed_key)
FROM open_use u LEFT JOIN bed_mark m ON m.bed_key = u.bed_key
WHERE u.person IN contested AND u.stay_key IN (SELECT stay_key FROM resident_stay);

CREATE TEMP TABLE bed_use AS
SELECT bed_key, COUNT(DISTINCT person) AS used FROM bed_claim WHERE role = 'held' OR n = 1 GROUP BY bed_key;

-- The bed of a stay that is still open for a person who has died, that lost to a newer stay, or whose own status and
-- end contradict each other, is neither occupied nor accepting: a wrong "vacant" sends a hospital discharge team to a
-- bed that is taken, a wrong "other" does not.
CREATE TEMP TABLE bed_off_sale AS
SELECT u.bed_key FROM open_use u JOIN param
     LEFT JOIN bed_claim c ON c.bed_key = u.bed_key AND c.person = u.person AND (c.role = 'held' OR c.n = 1)
WHERE unresolved_off_sale = 1 AND u.role = 'active' AND c.bed_key IS NULL
  AND u.stay_key NOT IN (SELECT stay_key FROM resident_stay)
UNION
SELECT b.bed_key FROM stay s JOIN stay_bed b ON b.stay_key = s.stay_key JOIN param
WHERE s.kind = 'residential' AND s.state IN ('ended', 'to_hospital') AND b.role IN ('active', 'past')
  AND COALESCE(b.end_at, s.end_at) > turnaround_since AND COALESCE(b.end_at, s.end_at) <= as_at;

CREATE TEMP TABLE live_reservation AS
SELECT loc_key, bed_key, COALESCE(places, 1) AS places, strength FROM reservation, param
WHERE made_at <= as_at AND (end_at IS NULL OR end_at > as_at)
  AND start_at <= reservation_horizon AND start_at > reservation_stale;

CREATE TEMP TABLE firm_reservation AS
SELECT loc_key, bed_key, places FROM live_reservation, param WHERE strength = 'firm' OR tentative_counts = 1;

-- 3. One row per bed of the capacity: used, then reserved, then unusable, then accepting.  A stay beats a flag.
CREATE TEMP TABLE bed_state AS
SELECT bed_key, loc_key, bed_type, flexible, state, places, used, reserved, free, usable, said,
       CASE WHEN usable AND said = 1 THEN free ELSE 0 END AS accepting, usable AND said IS NULL AND free > 0 AS unsaid
FROM (SELECT b.bed_key, b.loc_key, b.bed_type, b.flexible, b.state, b.places,
             MIN(b.places, COALESCE(u.used, 0)) AS used,
             MAX(0, MIN(b.places - COALESCE(u.used, 0), COALESCE(r.places, 0))) AS reserved,
             MAX(0, b.places - COALESCE(u.used, 0) - COALESCE(r.places, 0)) AS free,
             b.state = 'available' AND b.bed_key NOT IN (SELECT bed_key FROM bed_off_sale) AS usable,
             b.accepting AS said
      FROM bed b
      LEFT JOIN bed_use u ON u.bed_key = b.bed_key
      LEFT JOIN (SELECT bed_key, SUM(places) AS places FROM firm_reservation WHERE bed_key IS NOT NULL GROUP BY bed_key) r
             ON r.bed_key = b.bed_key
      WHERE b.state <> 'out_of_capacity');

-- Most beds are told apart by their type alone; of the flexible ones each is looked at.
CREATE TEMP TABLE bed_sum AS
SELECT loc_key, bed_type, COALESCE(flexible, 0) AS flexible, COUNT(*) AS n_beds, SUM(places) AS places, SUM(used) AS used,
       SUM(reserved) AS reserved, SUM(accepting) AS accepting, SUM(unsaid) AS unsaid
FROM bed_state GROUP BY loc_key, bed_type, COALESCE(flexible, 0);

CREATE TEMP TABLE flexible_bed AS SELECT * FROM bed_state WHERE flexible = 1;

-- 4. Per location.  Capacity: the declared figure, else the beds found, else a file's total, else unknown (never 0).
--    Stays and reservations without a bed, and declared ones beyond those counted, take a place from the accepting.
CREATE TEMP TABLE loose_resident AS
SELECT loc_key, COUNT(*) AS n FROM resident
WHERE (person, loc_key) NOT IN (SELECT person, loc_key FROM bed_claim
                                WHERE (role = 'held' OR n = 1) AND bed_key IN (SELECT bed_key FROM bed_state))
GROUP BY loc_key;

CREATE TEMP TABLE loose_reservation AS
SELECT loc_key, SUM(places) AS n FROM firm_reservation WHERE bed_key IS NULL GROUP BY loc_key;

CREATE TEMP TABLE home_sum AS
SELECT l.loc_key, b.n_beds, b.places AS found, COALESCE(b.unsaid, 0) AS unsaid,
       COALESCE(cd.n, b.places, cf.n) AS capacity, cd.n AS capacity_declared,
       COALESCE(b.used, 0) + COALESCE(s.n, 0) AS used,
       COALESCE(b.reserved, 0) + COALESCE(r.n, 0) AS reserved,
       COALESCE(b.accepting, 0) - COALESCE(s.n, 0) - COALESCE(r.n, 0) AS accepting,
       COALESCE(s.n, 0) AS loose, COALESCE(r.n, 0) AS loose_reserved, od.n AS occupied_declared, rd.n AS reserved_declared
FROM location l
LEFT JOIN (SELECT loc_key, SUM(n_beds) AS n_beds, SUM(places) AS places, SUM(used) AS used, SUM(reserved) AS reserved,
                  SUM(accepting) AS accepting, SUM(unsaid) AS unsaid
           FROM bed_sum GROUP BY loc_key) b ON b.loc_key = l.loc_key
LEFT JOIN loose_resident s ON s.loc_key = l.loc_key
LEFT JOIN loose_reservation r ON r.loc_key = l.loc_key
LEFT JOIN said_number cd ON cd.loc_key = l.loc_key AND cd.item_id = 'ch_beds_max_capacity' AND cd.origin = 'declared'
LEFT JOIN said_number cf ON cf.loc_key = l.loc_key AND cf.item_id = 'ch_beds_max_capacity' AND cf.origin = 'file'
LEFT JOIN said_number od ON od.loc_key = l.loc_key AND od.item_id = 'ch_beds_occupied' AND od.origin = 'declared'
LEFT JOIN said_number rd ON rd.loc_key = l.loc_key AND rd.item_id = 'ch_beds_vacant_reserved' AND rd.origin = 'declared'
WHERE l.care_type = 'care_home';

CREATE TEMP TABLE home AS
SELECT h.*, CASE WHEN capacity IS NULL THEN reserved ELSE MAX(0, MIN(reserved, capacity - occupied)) END AS reserved_places,
       CASE WHEN capacity IS NULL OR n_beds IS NULL THEN NULL
            ELSE MAX(0, MIN(accepting - MAX(0, COALESCE(occupied_declared, 0) - occupied)
                                      - MAX(0, COALESCE(reserved_declared, 0) - MIN(reserved, capacity - occupied)),
                            capacity - COALESCE(occupied_declared, occupied)
                                     - COALESCE(reserved_declared, MIN(reserved, capacity - occupied)))) END
         AS accepting_places
FROM (SELECT home_sum.*, CASE WHEN capacity IS NULL THEN used ELSE MIN(capacity, used) END AS occupied FROM home_sum) h;

CREATE TEMP TABLE place AS
SELECT loc_key, 'capacity' AS state, found AS n FROM home WHERE found IS NOT NULL
UNION ALL SELECT loc_key, 'occupied', occupied FROM home
UNION ALL SELECT loc_key, 'reserved', reserved_places FROM home
UNION ALL SELECT loc_key, 'accepting', accepting_places FROM home WHERE accepting_places IS NOT NULL
UNION ALL SELECT loc_key, 'not_available',
                 MAX(0, capacity - COALESCE(occupied_declared, occupied) - COALESCE(reserved_declared, reserved_places) - accepting_places)
          FROM home WHERE accepting_places IS NOT NULL;

-- The split by bed type: the same sums by type.  A flexible bed of a dual-registered home counts, where it is occupied,
-- under the care category of the placement in it, and where it is vacant under the type that the home offers it as;
-- never by a diagnosis.  One that cannot be told leaves the split out and the total stands.
CREATE TEMP TABLE flexible_use AS
SELECT c.bed_key, COUNT(DISTINCT o.bed_type) AS kinds, COUNT(o.bed_type) < COUNT(*) AS untold, MIN(o.bed_type) AS only_kind
FROM bed_claim c JOIN open_stay o ON o.stay_key = c.stay_key JOIN bed b ON b.bed_key = c.bed_key AND b.flexible = 1
WHERE c.role = 'held' OR c.n = 1 GROUP BY c.bed_key;

CREATE TEMP TABLE flexible_part AS
SELECT c.bed_key, o.bed_type, COUNT(DISTINCT c.person) AS n
FROM flexible_use u CROSS JOIN bed_claim c ON c.bed_key = u.bed_key CROSS JOIN open_stay o ON o.stay_key = c.stay_key
WHERE u.kinds > 1 AND NOT u.untold AND (c.role = 'held' OR c.n = 1) GROUP BY c.bed_key, o.bed_type;

CREATE TEMP VIEW bed_part AS
SELECT loc_key, bed_type, places, used, reserved, accepting FROM bed_sum WHERE flexible = 0
UNION ALL
SELECT s.loc_key, COALESCE(s.bed_type, flexible_offered_as), s.places - s.used, 0, s.reserved, s.accepting
FROM flexible_bed s, param WHERE s.used < s.places
UNION ALL
SELECT s.loc_key, CASE WHEN u.kinds = 1 AND NOT u.untold THEN u.only_kind END, s.used, s.used, 0, 0
FROM flexible_bed s JOIN flexible_use u ON u.bed_key = s.bed_key WHERE s.used > 0 AND (u.kinds < 2 OR u.untold OR s.used < 2)
UNION ALL
SELECT s.loc_key, t.bed_type, t.n, t.n, 0, 0
FROM flexible_bed s JOIN flexible_part t ON t.bed_key = s.bed_key WHERE s.used > 1;

-- Stays and reservations without a bed go to the provider's default type; without one, or where that type has no room for
-- them, there is no split either.
CREATE TEMP TABLE type_sum AS
SELECT c.loc_key, c.bed_type, SUM(c.places) AS capacity, SUM(c.used) AS occupied, SUM(c.reserved) AS reserved,
       MAX(0, SUM(c.accepting)) AS accepting,
       SUM(c.places) - SUM(c.used) - SUM(c.reserved) - MAX(0, SUM(c.accepting)) AS not_available
FROM (SELECT loc_key, bed_type, places, used, reserved, accepting FROM bed_part
      UNION ALL
      SELECT loc_key, default_bed_type, 0, loose, loose_reserved, -loose - loose_reserved FROM home, param
      WHERE loose + loose_reserved > 0) c
WHERE c.loc_key NOT IN (SELECT loc_key FROM bed_part WHERE bed_type IS NULL)
  AND c.loc_key NOT IN (SELECT loc_key FROM home, param WHERE loose + loose_reserved > 0 AND default_bed_type IS NULL)
GROUP BY c.loc_key, c.bed_type;

CREATE TEMP TABLE place_by_type AS
SELECT * FROM type_sum WHERE loc_key NOT IN (SELECT loc_key FROM type_sum WHERE not_available < 0);

-- 5. Home care: people with a current service, each once.  A tenant who is given no regulated personal care is none.
CREATE TEMP TABLE open_service AS
SELECT s.loc_key, s.person_key, COALESCE(p.survivor_key, s.person_key) AS person, d.survivor_key IS NOT NULL AS dead
FROM service_user s JOIN param LEFT JOIN person p ON p.person_key = s.person_key
     LEFT JOIN died d ON d.survivor_key = COALESCE(p.survivor_key, s.person_key)
WHERE (s.state = 'current' OR (s.state = 'on_hold' AND on_hold_counts = 1))
  AND (COALESCE(s.personal_care, 1) = 1 OR without_personal_care_counts = 1)
  AND s.start_at <= as_at AND (s.end_at IS NULL OR s.end_at > as_at);

CREATE TEMP TABLE person_served AS SELECT DISTINCT loc_key, person, 1 AS n FROM open_service WHERE dead = 0;

-- 6. Staff: heads, not posts.  One cell per worker at a location (and care type, where a location has two): direct
--    before bank before agency, then nurse, care providing, non-care providing.  Agency workers count if they worked a
--    shift here in the last days; bank workers have a rule of their own.  What "zero hours" means and whether Shared
--    Lives carers count, the provider says once; until then the figures that they touch are incomplete.
CREATE TEMP TABLE location_kind AS
SELECT loc_key, CASE COUNT(*) WHEN 1 THEN MIN(care_type) END AS only_care_type FROM location GROUP BY loc_key;

CREATE TEMP VIEW settled_post AS
SELECT t.rowid AS post_id, t.post_key, t.worker_key, t.loc_key, t.care_type, t.active, t.start_at, t.end_at, t.last_shift_at,
       COALESCE(t.placeholder, 0) AS placeholder,
       CASE WHEN t.role_group = 'shared_lives' THEN COALESCE(shared_lives_as, 'operator_choice') ELSE t.role_group END AS role_group,
       CASE WHEN t.role_group = 'shared_lives' THEN 'direct'
            WHEN t.engagement = 'zero_hours' THEN COALESCE(zero_hours_as, 'operator_choice') ELSE t.engagement END AS engagement,
       CASE WHEN t.role_group = 'shared_lives' THEN CASE WHEN shared_lives_as IS NULL THEN 'shared_lives_unsettled' END
            WHEN t.engagement = 'zero_hours' AND zero_hours_as IS NULL THEN 'zero_hours_unsettled' END AS asks
FROM staff_post t JOIN param;

CREATE TEMP TABLE open_post AS
SELECT t.post_id, t.post_key, t.worker_key, t.loc_key, t.engagement, t.role_group, t.asks, t.placeholder,
       COALESCE(k.only_care_type, t.care_type, unplaced_care_type) AS care_type,
       CASE t.engagement
         WHEN 'agency' THEN COALESCE(t.last_shift_at > agency_since AND t.last_shift_at <= as_at, 0)
         WHEN 'bank' THEN bank_listed = 1 OR COALESCE(t.last_shift_at > bank_since AND t.last_shift_at <= as_at, 0)
         ELSE 1 END AS at_work
FROM settled_post t JOIN location_kind k ON k.loc_key = t.loc_key JOIN param
WHERE COALESCE(t.active, 1) = 1 AND t.start_at <= as_at AND (t.end_at IS NULL OR t.end_at > as_at);

-- "Agency 1" stands for shifts, never for a person, so it is no worker.  Only of who has several posts is it asked which
-- counts.
CREATE TEMP VIEW counted_post AS
SELECT post_id, post_key, worker_key, loc_key, care_type, engagement, role_group FROM open_post
WHERE at_work = 1 AND engagement <> 'operator_choice' AND care_type IS NOT NULL AND placeholder = 0
  AND role_group IN ('registered_nurse', 'care_providing', 'non_care_providing');

CREATE TEMP TABLE several_posts AS SELECT worker_key FROM counted_post GROUP BY worker_key HAVING COUNT(*) > 1;

CREATE TEMP TABLE ranked_post AS
SELECT post_id, worker_key, loc_key, care_type, engagement, role_group, 1 AS nth
FROM counted_post WHERE worker_key NOT IN several_posts
UNION ALL
SELECT post_id, worker_key, loc_key, care_type, engagement, role_group,
       ROW_NUMBER() OVER (PARTITION BY worker_key, loc_key, care_type ORDER BY
         CASE engagement WHEN 'direct' THEN 0 WHEN 'bank' THEN 1 ELSE 2 END,
         CASE role_group WHEN 'registered_nurse' THEN 0 WHEN 'care_providing' THEN 1 ELSE 2 END, post_key)
FROM counted_post WHERE worker_key IN several_posts;

CREATE TEMP TABLE worker AS
SELECT worker_key, loc_key, care_type, engagement, role_group, 1 AS n FROM ranked_post WHERE nth = 1;

-- 7. Absence: directly employed workers only, each once, COVID-19 first.
CREATE TEMP TABLE open_absence AS
SELECT c.worker_key, c.loc_key, c.care_type, c.role_group, a.category
FROM worker c JOIN absence a ON a.worker_key = c.worker_key AND (a.loc_key IS NULL OR a.loc_key = c.loc_key) JOIN param
WHERE c.engagement = 'direct' AND a.start_at <= as_at AND (a.end_at IS NULL OR a.end_at > as_at);

CREATE TEMP TABLE absent_worker AS
SELECT worker_key, loc_key, care_type, role_group,
       CASE WHEN MAX(category = 'covid') = 1 THEN 'covid' ELSE 'other' END AS reason, 1 AS n
FROM open_absence WHERE category IN ('covid', 'other') GROUP BY worker_key, loc_key, care_type, role_group;

-- 8. Vaccination: the whole possible interval of the dose lies inside the campaign and not after the snapshot.
CREATE TEMP TABLE dose AS
SELECT v.subject_kind, COALESCE(p.survivor_key, v.subject_key) AS subject, v.disease, v.earliest,
       MIN(v.latest, as_at_date) AS latest, c.doses_from, c.doses_to, as_at_date
FROM vaccination v JOIN campaign_now c ON c.disease = v.disease JOIN param
     LEFT JOIN person p ON v.subject_kind = 'person' AND p.person_key = v.subject_key
WHERE v.status = 'completed' AND (subpotent_counts = 1 OR COALESCE(v.subpotent, 0) = 0)
  AND (secondary_counts = 1 OR COALESCE(v.secondary, 0) = 0);

CREATE TEMP TABLE vaccinated AS
SELECT DISTINCT subject_kind, subject, disease FROM dose
WHERE earliest <= as_at_date AND earliest >= doses_from AND latest <= doses_to AND latest IS NOT NULL;

CREATE TEMP TABLE vaccinated_resident AS
SELECT r.loc_key, r.person, v.disease, 1 AS n
FROM resident r JOIN vaccinated v ON v.subject_kind = 'person' AND v.subject = r.person;

CREATE TEMP TABLE vaccinated_worker AS
SELECT c.loc_key, c.care_type, c.worker_key, c.engagement, c.role_group, v.disease, 1 AS n
FROM worker c JOIN vaccinated v ON v.subject_kind = 'worker' AND v.subject = c.worker_key;

-- 9. Hours: for exactly the last complete calendar month a final row, else a provisional one, and of those the newest;
--    paid, rostered and delivered hours never stand in for one another.  Two that differ are a contradiction, not a sum.
CREATE TEMP TABLE monthly_hours AS
SELECT loc_key, care_type, measure, unit, MAX(value) AS n, COUNT(DISTINCT value) > 1 AS contradicted, provisional FROM (
  SELECT h.loc_key, COALESCE(k.only_care_type, h.care_type) AS care_type, h.measure, h.unit, h.value,
         COALESCE(h.provisional, 0) AS provisional,
         RANK() OVER (PARTITION BY h.loc_key, COALESCE(k.only_care_type, h.care_type), h.measure, h.unit
                      ORDER BY COALESCE(h.provisional, 0), COALESCE(h.as_at, '') DESC) AS nth
  FROM hours h JOIN location_kind k ON k.loc_key = h.loc_key JOIN param
  WHERE h.period_start = month_start AND h.period_end = month_end)
WHERE nth = 1 GROUP BY loc_key, care_type, measure, unit;

-- 10. What only a person can settle: the figures that each open question touches are incomplete until it is answered.
--     An empty engagement or role group means any.
CREATE TEMP TABLE open_question AS
SELECT loc_key, care_type, 'role_unmapped' AS question, engagement, NULL AS role_group,
       COUNT(DISTINCT worker_key) AS n
FROM open_post p WHERE role_group = 'operator_choice' AND engagement <> 'operator_choice' AND at_work = 1 AND asks IS NULL
  AND placeholder = 0
GROUP BY loc_key, care_type, engagement
UNION ALL
SELECT loc_key, care_type, 'engagement_unmapped', NULL, CASE role_group WHEN 'operator_choice' THEN NULL ELSE role_group END,
       COUNT(DISTINCT worker_key)
FROM open_post WHERE engagement = 'operator_choice' AND role_group <> 'excluded' AND asks IS NULL AND placeholder = 0
GROUP BY loc_key, care_type, 5
UNION ALL
SELECT loc_key, care_type, asks, CASE asks WHEN 'shared_lives_unsettled' THEN 'direct' END,
       CASE WHEN asks = 'shared_lives_unsettled' THEN 'care_providing' WHEN role_group <> 'operator_choice' THEN role_group END,
       COUNT(DISTINCT worker_key)
FROM open_post WHERE asks IS NOT NULL AND role_group <> 'excluded' AND placeholder = 0 GROUP BY loc_key, care_type, asks, 5
UNION ALL
-- The heads behind a placeholder are not known: the count is asked, where a provider has not said that they are listed.
SELECT loc_key, care_type, 'placeholder_worker', CASE WHEN engagement <> 'operator_choice' THEN engagement END,
       CASE WHEN role_group <> 'operator_choice' THEN role_group END, COUNT(DISTINCT worker_key)
FROM open_post JOIN param WHERE placeholder = 1 AND at_work = 1 AND role_group <> 'excluded' AND placeholders_asked = 1
GROUP BY loc_key, care_type, 4, 5
UNION ALL
SELECT loc_key, care_type, 'absence_unmapped', 'direct', role_group, COUNT(DISTINCT worker_key)
FROM open_absence o WHERE category = 'operator_choice'
  AND NOT EXISTS (SELECT 1 FROM absent_worker a WHERE a.worker_key = o.worker_key AND a.loc_key = o.loc_key
                  AND a.care_type = o.care_type AND a.reason = 'covid')
GROUP BY loc_key, care_type, role_group
UNION ALL
-- A post that could belong to more than one home leaves every cell of each incomplete.
SELECT d.loc_key, l.care_type, d.rule, NULL, NULL, d.n
FROM diagnostic d JOIN location l ON l.loc_key = d.loc_key WHERE d.rule = 'post_home_unclear' AND d.n > 0;

CREATE TEMP TABLE unplaced_post AS
SELECT loc_key, COUNT(*) AS n FROM open_post WHERE care_type IS NULL AND role_group <> 'excluded' GROUP BY loc_key;

-- 11. Oddities, by name.  `assemble` adds those that only the records can show (see mappings/README.md).
CREATE TEMP TABLE odd_dose AS
SELECT subject_kind, subject, CASE WHEN earliest > as_at_date THEN 'vax_future' ELSE 'vax_date_indeterminate' END AS rule
FROM dose
WHERE earliest IS NULL OR latest IS NULL OR earliest > as_at_date
   OR (earliest < doses_from AND latest >= doses_from) OR (earliest <= doses_to AND latest > doses_to);

CREATE TEMP TABLE oddity AS
SELECT loc_key, 'care_home' AS care_type, 'stay_status_conflict' AS rule, COUNT(*) AS n
FROM open_stay WHERE state = 'unresolved' GROUP BY loc_key
UNION ALL SELECT loc_key, 'care_home', 'bed_status_conflict', COUNT(*)
FROM bed_state WHERE used > 0 AND state = 'unavailable' GROUP BY loc_key
UNION ALL SELECT loc_key, 'care_home', 'reservation_tentative', COUNT(*)
FROM live_reservation WHERE strength = 'tentative' GROUP BY loc_key
UNION ALL SELECT loc_key, 'care_home', 'stay_without_bed', loose FROM home WHERE loose > 0 AND n_beds IS NOT NULL
UNION ALL SELECT h.loc_key, 'care_home', 'over_capacity', 1
FROM home h JOIN (SELECT loc_key, COUNT(*) AS n FROM resident GROUP BY loc_key) r ON r.loc_key = h.loc_key
WHERE r.n > h.capacity OR h.used > h.capacity
UNION ALL SELECT c.loc_key, 'care_home', 'bed_assignment_open', COUNT(DISTINCT c.stay_key || ' ' || c.bed_key)
FROM bed_claim c LEFT JOIN bed_claim w ON w.stay_key = c.stay_key AND w.bed_key = c.bed_key AND (w.role = 'held' OR w.n = 1)
WHERE c.role = 'active' AND c.n > 1 AND w.bed_key IS NULL GROUP BY c.loc_key
-- A clash counts where the older stay is, since that is the record to mend; two records of one stay in one bed are none.
UNION ALL SELECT o.loc_key, 'care_home', 'person_in_two_places', COUNT(DISTINCT o.person)
FROM current_stay o JOIN current_stay w ON w.person = o.person AND w.state = 'current' AND w.n = 1
WHERE o.state = 'current' AND o.n > 1 AND (o.loc_key <> w.loc_key OR EXISTS (
  SELECT 1 FROM open_use u WHERE u.stay_key = o.stay_key AND u.role = 'active'
  AND u.bed_key NOT IN (SELECT bed_key FROM bed_claim WHERE person = o.person)))
GROUP BY o.loc_key
UNION ALL SELECT loc_key, 'care_home', 'deceased_open_stay', COUNT(DISTINCT person)
FROM open_stay WHERE dead = 1 GROUP BY loc_key
UNION ALL SELECT loc_key, 'home_care', 'deceased_open_stay', COUNT(DISTINCT person)
FROM open_service WHERE dead = 1 GROUP BY loc_key
UNION ALL SELECT loc_key, 'care_home', 'duplicate_merged', COUNT(DISTINCT person_key)
FROM open_stay WHERE person_key <> person GROUP BY loc_key
UNION ALL SELECT loc_key, 'home_care', 'duplicate_merged', COUNT(DISTINCT person_key)
FROM open_service WHERE person_key <> person GROUP BY loc_key
UNION ALL SELECT loc_key, 'care_home', 'capacity_differs', 1
FROM home WHERE n_beds IS NOT NULL AND capacity_declared <> found
UNION ALL SELECT p.loc_key, p.care_type, 'agency_no_shift', COUNT(DISTINCT p.worker_key)
FROM open_post p LEFT JOIN worker w ON w.worker_key = p.worker_key AND w.loc_key = p.loc_key AND w.care_type = p.care_type
WHERE p.engagement IN ('agency', 'bank') AND p.at_work = 0 AND p.placeholder = 0 AND w.worker_key IS NULL GROUP BY p.loc_key, p.care_type
UNION ALL SELECT loc_key, care_type, question, SUM(n) FROM open_question
WHERE question <> 'post_home_unclear' GROUP BY loc_key, care_type, question
UNION ALL SELECT loc_key, NULL, 'staff_without_care_type', n FROM unplaced_post
UNION ALL SELECT r.loc_key, 'care_home', d.rule, COUNT(*)
FROM odd_dose d CROSS JOIN resident r ON r.person = d.subject WHERE d.subject_kind = 'person' GROUP BY 1, 3
UNION ALL SELECT w.loc_key, w.care_type, d.rule, COUNT(*)
FROM odd_dose d CROSS JOIN worker w ON w.worker_key = d.subject WHERE d.subject_kind = 'worker' GROUP BY 1, 2, 3;

-- 12. What was there at all: no rows is a reason, never a zero.
CREATE TEMP TABLE present AS
SELECT DISTINCT loc_key, 'bed' AS tbl FROM bed
UNION ALL SELECT DISTINCT loc_key, 'stay' FROM stay
UNION ALL SELECT DISTINCT loc_key, 'reservation' FROM reservation
UNION ALL SELECT DISTINCT loc_key, 'staff_post' FROM staff_post
UNION ALL SELECT DISTINCT loc_key, 'agency_or_bank' FROM staff_post WHERE engagement IN ('agency', 'bank')
UNION ALL SELECT DISTINCT loc_key, 'service_user' FROM service_user
UNION ALL SELECT DISTINCT loc_key, 'dose_of_person' FROM resident
  WHERE person IN (SELECT COALESCE(p.survivor_key, v.subject_key) FROM vaccination v
                   LEFT JOIN person p ON p.person_key = v.subject_key WHERE v.subject_kind = 'person')
UNION ALL SELECT DISTINCT loc_key, 'dose_of_worker' FROM staff_post
  WHERE worker_key IN (SELECT subject_key FROM vaccination WHERE subject_kind = 'worker');

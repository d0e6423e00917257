-- How each measure came about: for one location (:loc) and care type (:care), counts in and out at each step.
--
-- Runs after definitions.sql, over its tables, for an explanation only.  A part gives rows (step, first column of the
-- measure, second column, n); the steps of a part are worded in funnel.toml, in their order.  `start` is what was there,
-- `counted` what the definitions count; every other n is what a step left out, with a minus, or added.

-- part resident
SELECT step, NULL, NULL, SUM(n) FROM (
  SELECT 'start' AS step, COUNT(*) AS n FROM stay WHERE loc_key = :loc
  UNION ALL
  SELECT step, -1 FROM (
    SELECT CASE
        WHEN s.kind = 'day_care' THEN 'day_care' WHEN s.kind <> 'residential' THEN 'not_social_care'
        WHEN s.state = 'planned' THEN 'planned' WHEN s.state = 'void' THEN 'void'
        WHEN s.start_at > as_at THEN 'not_started' WHEN o.stay_key IS NULL AND s.state = 'to_hospital' THEN 'hospital_long_ago'
        WHEN o.stay_key IS NULL THEN 'ended' WHEN o.dead = 1 THEN 'died' WHEN o.state = 'unresolved' THEN 'contradictory'
        WHEN r.stay_key IS NULL THEN 'newer_stay'
        WHEN ROW_NUMBER() OVER (PARTITION BY r.stay_key IS NULL, s.loc_key, COALESCE(r.person, s.stay_key) ORDER BY s.rowid) > 1
          THEN 'same_person' END AS step
    FROM stay s JOIN param LEFT JOIN open_stay o ON o.stay_key = s.stay_key LEFT JOIN resident_stay r ON r.stay_key = s.stay_key
    WHERE s.loc_key = :loc) WHERE step IS NOT NULL
  UNION ALL
  SELECT 'counted', COUNT(*) FROM resident WHERE loc_key = :loc
) GROUP BY step;

-- part place capacity
SELECT step, NULL, NULL, SUM(n) FROM (
  SELECT 'start' AS step, places AS n FROM bed WHERE loc_key = :loc
  UNION ALL SELECT 'gone', -places FROM bed WHERE loc_key = :loc AND state = 'out_of_capacity'
  UNION ALL SELECT 'counted', n FROM place WHERE loc_key = :loc AND state = 'capacity'
) GROUP BY step;

-- part place occupied
SELECT step, NULL, NULL, SUM(n) FROM (
  WITH used AS (SELECT DISTINCT c.person, c.bed_key, b.loc_key AS at, c.loc_key AS home
                FROM bed_claim c JOIN bed_state b ON b.bed_key = c.bed_key WHERE c.role = 'held' OR c.n = 1),
       own AS (SELECT DISTINCT person, bed_key FROM used WHERE at = :loc AND home = :loc)
  SELECT 'start' AS step, COUNT(*) AS n FROM resident WHERE loc_key = :loc
  UNION ALL SELECT 'bed_elsewhere', -COUNT(DISTINCT person) FROM used
            WHERE home = :loc AND person NOT IN (SELECT person FROM own)
  UNION ALL SELECT 'second_bed', COUNT(*) - COUNT(DISTINCT person) FROM own
  UNION ALL SELECT 'of_another_home', (SELECT COUNT(*) FROM (SELECT DISTINCT person, bed_key FROM used WHERE at = :loc)) - COUNT(*) FROM own
  UNION ALL SELECT 'shared', SUM(b.used) - (SELECT COUNT(*) FROM (SELECT DISTINCT person, bed_key FROM used WHERE at = :loc))
            FROM bed_state b WHERE loc_key = :loc
  UNION ALL SELECT 'over_capacity', occupied - used FROM home WHERE loc_key = :loc
  UNION ALL SELECT 'counted', n FROM place WHERE loc_key = :loc AND state = 'occupied'
) GROUP BY step;

-- part place reserved
SELECT step, NULL, NULL, SUM(n) FROM (
  SELECT 'start' AS step, COALESCE(places, 1) AS n FROM reservation WHERE loc_key = :loc
  UNION ALL
  SELECT CASE WHEN made_at > as_at THEN 'not_made_yet' WHEN end_at <= as_at THEN 'over' WHEN start_at > reservation_horizon THEN 'far_ahead'
              WHEN start_at <= reservation_stale THEN 'stale' ELSE 'tentative' END, -COALESCE(places, 1)
  FROM reservation, param WHERE loc_key = :loc
    AND NOT (made_at <= as_at AND (end_at IS NULL OR end_at > as_at) AND start_at <= reservation_horizon
             AND start_at > reservation_stale AND (strength = 'firm' OR tentative_counts = 1))
  UNION ALL SELECT 'bed_elsewhere', COALESCE((SELECT SUM(f.places) FROM firm_reservation f JOIN bed_state b ON b.bed_key = f.bed_key
                                              WHERE b.loc_key = :loc), 0)
                   - COALESCE((SELECT SUM(places) FROM firm_reservation WHERE loc_key = :loc AND bed_key IS NOT NULL), 0)
  UNION ALL SELECT 'bed_taken', SUM(b.reserved) - COALESCE((SELECT SUM(f.places) FROM firm_reservation f JOIN bed_state x ON x.bed_key = f.bed_key
                                                            WHERE x.loc_key = :loc), 0)
            FROM bed_state b WHERE b.loc_key = :loc
  UNION ALL SELECT 'over_capacity', reserved_places - reserved FROM home WHERE loc_key = :loc
  UNION ALL SELECT 'counted', n FROM place WHERE loc_key = :loc AND state = 'reserved'
) GROUP BY step;

-- part place accepting
SELECT step, NULL, NULL, SUM(n) FROM (
  SELECT 'start' AS step, places AS n FROM bed_state WHERE loc_key = :loc
  UNION ALL SELECT 'occupied', -used FROM bed_state WHERE loc_key = :loc
  UNION ALL SELECT 'reserved', -reserved FROM bed_state WHERE loc_key = :loc
  UNION ALL SELECT CASE WHEN state <> 'available' THEN 'closed' WHEN NOT usable THEN 'kept_off'
                        WHEN said IS NULL THEN 'not_said' ELSE 'not_offered' END, accepting - free
            FROM bed_state WHERE loc_key = :loc
  UNION ALL SELECT 'resident_without_bed', -MIN(loose, accepting + loose + loose_reserved) FROM home WHERE loc_key = :loc
  UNION ALL SELECT 'booking_without_bed', -MIN(loose_reserved, MAX(0, accepting + loose_reserved)) FROM home WHERE loc_key = :loc
  UNION ALL SELECT 'to_fit', accepting_places - MAX(0, accepting) FROM home WHERE loc_key = :loc
  UNION ALL SELECT 'counted', n FROM place WHERE loc_key = :loc AND state = 'accepting'
) GROUP BY step;

-- part place not_available
SELECT step, NULL, NULL, SUM(n) FROM (
  WITH taken AS (SELECT capacity, COALESCE(occupied_declared, occupied) AS o, COALESCE(reserved_declared, reserved_places) AS r,
                        accepting_places AS a FROM home WHERE loc_key = :loc)
  SELECT 'start' AS step, capacity AS n FROM taken
  UNION ALL SELECT 'occupied', -MIN(o, capacity) FROM taken
  UNION ALL SELECT 'reserved', -MIN(r, MAX(0, capacity - o)) FROM taken
  UNION ALL SELECT 'accepting', -MIN(a, MAX(0, capacity - o - r)) FROM taken
  UNION ALL SELECT 'counted', n FROM place WHERE loc_key = :loc AND state = 'not_available'
) GROUP BY step;

-- part person_served
SELECT step, NULL, NULL, SUM(n) FROM (
  SELECT 'start' AS step, COUNT(*) AS n FROM service_user WHERE loc_key = :loc
  UNION ALL
  SELECT step, -1 FROM (
    SELECT CASE
        WHEN state = 'planned' THEN 'planned' WHEN state = 'void' THEN 'void'
        WHEN state = 'on_hold' AND on_hold_counts = 0 THEN 'on_hold'
        WHEN COALESCE(personal_care, 1) = 0 AND without_personal_care_counts = 0 THEN 'no_personal_care'
        WHEN start_at > as_at THEN 'not_started' WHEN state = 'ended' OR end_at <= as_at THEN 'ended'
        WHEN d.survivor_key IS NOT NULL THEN 'died'
        WHEN ROW_NUMBER() OVER (PARTITION BY
               state IN ('current', 'on_hold') AND (state = 'current' OR on_hold_counts = 1)
               AND (COALESCE(personal_care, 1) = 1 OR without_personal_care_counts = 1)
               AND start_at <= as_at AND (end_at IS NULL OR end_at > as_at), COALESCE(p.survivor_key, s.person_key)
             ORDER BY s.rowid) > 1 THEN 'same_person' END AS step
    FROM service_user s JOIN param LEFT JOIN person p ON p.person_key = s.person_key
         LEFT JOIN died d ON d.survivor_key = COALESCE(p.survivor_key, s.person_key)
    WHERE s.loc_key = :loc) WHERE step IS NOT NULL
  UNION ALL
  SELECT 'counted', COUNT(*) FROM person_served WHERE loc_key = :loc
) GROUP BY step;

-- part worker
SELECT step, engagement, role_group, SUM(n) FROM (
  SELECT 'start' AS step, NULL AS engagement, NULL AS role_group, COUNT(*) AS n FROM staff_post WHERE loc_key = :loc
  UNION ALL
  SELECT step, NULL, NULL, -1 FROM (
    SELECT CASE
        WHEN COALESCE(s.active, 1) <> 1 THEN 'inactive' WHEN s.start_at > as_at THEN 'not_started'
        WHEN o.post_id IS NULL THEN 'left' WHEN s.role_group = 'excluded' THEN 'not_staff'
        WHEN s.placeholder = 1 THEN 'placeholder' WHEN s.role_group = 'operator_choice' THEN 'role_open'
        WHEN s.engagement = 'operator_choice' THEN 'engagement_open'
        WHEN o.care_type IS NULL THEN 'care_type_open' WHEN o.care_type <> :care THEN 'other_care_type'
        WHEN o.at_work = 0 THEN 'no_shift' WHEN r.nth > 1 THEN 'second_post' END AS step
    FROM settled_post s JOIN param LEFT JOIN open_post o ON o.post_id = s.post_id LEFT JOIN ranked_post r ON r.post_id = s.post_id
    WHERE s.loc_key = :loc) WHERE step IS NOT NULL
  UNION ALL
  SELECT 'counted', engagement, role_group, COUNT(*) FROM worker WHERE loc_key = :loc AND care_type = :care
  GROUP BY engagement, role_group
) GROUP BY step, engagement, role_group;

-- part absent_worker
SELECT step, role_group, reason, SUM(n) FROM (
  SELECT 'start' AS step, NULL AS role_group, NULL AS reason, COUNT(*) AS n
  FROM worker WHERE loc_key = :loc AND care_type = :care AND engagement = 'direct'
  UNION ALL
  SELECT CASE WHEN o.worker_key IS NULL THEN 'at_work' WHEN o.open = 1 THEN 'reason_open' ELSE 'planned_leave' END, NULL, NULL, -1
  FROM worker w LEFT JOIN absent_worker a ON a.worker_key = w.worker_key AND a.loc_key = w.loc_key AND a.care_type = w.care_type
  LEFT JOIN (SELECT worker_key, loc_key, care_type, MAX(category = 'operator_choice') AS open FROM open_absence
             GROUP BY worker_key, loc_key, care_type) o
         ON o.worker_key = w.worker_key AND o.loc_key = w.loc_key AND o.care_type = w.care_type
  WHERE w.loc_key = :loc AND w.care_type = :care AND w.engagement = 'direct' AND a.worker_key IS NULL
  UNION ALL
  SELECT 'counted', role_group, reason, COUNT(*) FROM absent_worker WHERE loc_key = :loc AND care_type = :care
  GROUP BY role_group, reason
) GROUP BY step, role_group, reason;

-- part vaccinated_resident
SELECT step, NULL, NULL, SUM(n) FROM (
  SELECT 'start' AS step, COUNT(*) AS n FROM resident WHERE loc_key = :loc
  UNION ALL
  SELECT CASE WHEN t.subject IS NULL THEN 'no_dose' WHEN t.done = 0 THEN 'not_given' ELSE 'not_in_campaign' END, -1
  FROM resident r LEFT JOIN vaccinated_resident v ON v.loc_key = r.loc_key AND v.person = r.person AND v.disease = :disease
  LEFT JOIN (SELECT COALESCE(p.survivor_key, x.subject_key) AS subject, MAX(x.status = 'completed') AS done
             FROM vaccination x LEFT JOIN person p ON p.person_key = x.subject_key
             WHERE x.subject_kind = 'person' AND x.disease = :disease GROUP BY 1) t ON t.subject = r.person
  WHERE r.loc_key = :loc AND v.person IS NULL
  UNION ALL
  SELECT 'counted', COUNT(*) FROM vaccinated_resident WHERE loc_key = :loc AND disease = :disease
) GROUP BY step;

-- part vaccinated_worker
SELECT step, engagement, role_group, SUM(n) FROM (
  SELECT 'start' AS step, NULL AS engagement, NULL AS role_group, COUNT(*) AS n FROM worker WHERE loc_key = :loc AND care_type = :care
  UNION ALL
  SELECT CASE WHEN t.subject_key IS NULL THEN 'no_dose' WHEN t.done = 0 THEN 'not_given' ELSE 'not_in_campaign' END, NULL, NULL, -1
  FROM worker w LEFT JOIN vaccinated_worker v
         ON v.loc_key = w.loc_key AND v.care_type = w.care_type AND v.worker_key = w.worker_key AND v.disease = :disease
  LEFT JOIN (SELECT subject_key, MAX(status = 'completed') AS done FROM vaccination
             WHERE subject_kind = 'worker' AND disease = :disease GROUP BY subject_key) t ON t.subject_key = w.worker_key
  WHERE w.loc_key = :loc AND w.care_type = :care AND v.worker_key IS NULL
  UNION ALL
  SELECT 'counted', engagement, role_group, COUNT(*) FROM vaccinated_worker
  WHERE loc_key = :loc AND care_type = :care AND disease = :disease GROUP BY engagement, role_group
) GROUP BY step, engagement, role_group;

-- part monthly_hours
SELECT step, NULL, NULL, SUM(n) FROM (
  WITH mine AS (SELECT h.value, h.period_start = month_start AND h.period_end = month_end AS in_month
                FROM hours h JOIN location_kind k ON k.loc_key = h.loc_key JOIN param
                WHERE h.loc_key = :loc AND COALESCE(k.only_care_type, h.care_type) = :care
                  AND h.measure = :measure AND h.unit = :unit)
  SELECT 'start' AS step, value AS n FROM mine
  UNION ALL SELECT 'other_month', -value FROM mine WHERE NOT in_month
  UNION ALL SELECT 'superseded', (SELECT n FROM monthly_hours WHERE loc_key = :loc AND care_type = :care AND measure = :measure AND unit = :unit)
                                 - SUM(value) FROM mine WHERE in_month
  UNION ALL SELECT 'counted', n FROM monthly_hours WHERE loc_key = :loc AND care_type = :care AND measure = :measure AND unit = :unit
) GROUP BY step;

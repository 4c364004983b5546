/** A question an analyst asks, and the SQL that answers it. */
export interface Question {
  readonly title: string;
  readonly sql: string;
}

/** What the demo asks its lake. */
export const DEMO_QUERIES: readonly Question[] = [
  {
    title: 'Which hosts have the worst scores?',
    sql: `SELECT host_name, max(score) AS worst_score, count(*) AS scored_events,
  count(DISTINCT file_sha256) AS files
FROM events
WHERE score > 0
GROUP BY host_name
ORDER BY worst_score DESC, scored_events DESC, host_name
LIMIT 5`,
  },
  {
    title: 'Which files carry unsigned or invalid certificates?',
    sql: `SELECT file_name, issuer, is_signed, is_valid,
  count(DISTINCT event_id) AS events, count(DISTINCT host_name) AS hosts
FROM certificates JOIN events USING (event_date, event_id)
WHERE NOT (coalesce(is_signed, false) AND coalesce(is_valid, false))
GROUP BY ALL
ORDER BY events DESC, file_name, issuer
LIMIT 5`,
  },
  {
    title: 'Which malware families do the indicators name?',
    sql: `SELECT family_name, count(*) AS indicators,
  count(DISTINCT event_id) AS events, max(score) AS worst_score
FROM indicators
WHERE family_name IS NOT NULL
GROUP BY family_name
ORDER BY indicators DESC, family_name
LIMIT 5`,
  },
];

/**
 * Who may do what. `viewer` reads the report; `reviewer` also decides on divergences; `operator` also
 * moves flows from stage to stage; `admin` also handles keys, exports and purges. `ingest` is for
 * services: it may be answered and told from, and reads nothing.
 */
export const ROLES = ["viewer", "ingest", "reviewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Whose rights each role has, its own included. */
const INCLUDES: Record<Role, readonly Role[]> = {
  ingest: ["ingest"],
  viewer: ["viewer"],
  reviewer: ["viewer", "reviewer"],
  operator: ["viewer", "reviewer", "operator", "ingest"],
  admin: ROLES,
};

export function may(role: Role, needed: Role): boolean {
  return INCLUDES[role].includes(needed);
}

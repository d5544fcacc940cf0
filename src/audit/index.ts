// The only door of src/audit: exporting bundles and finding the guilty, for programs with files and archives. What a bundle proves is
// decided in src/audit/verify, which runs in a browser too.

export { AuditError } from './audit-error.ts'
export * from './blame.ts'
export type { Refusal } from './cursor.ts'
export * from './export.ts'

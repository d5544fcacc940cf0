// The only door of src/audit/verify: what an auditor concludes from files alone. Pure; runs in a browser.

export * from './blame.ts'

/** What this build is: its version and the date before which no clock can be right. */

/** Replaced by the build; absent when the source runs unbuilt. */
declare const __BUILD_DATE__: string | undefined;

/** Version of the package; equal to package.json. */
export const PACKAGE_VERSION = '0.3.0';

/** When schema level 1 was fixed: no build is older. */
const SCHEMA_DATE = '2026-11-01T00:00:00Z';

/** A clock before this time is wrong, ms since 1970. */
export const EARLIEST_TIME_MS = Date.parse(
  typeof __BUILD_DATE__ === 'string' ? __BUILD_DATE__ : SCHEMA_DATE,
);

/** The caps of open connections in tests: those of the configuration's defaults. */

import { Admission, type AdmissionLimits } from '../../../src/http/stream/admission.ts';
import { STREAM_LIMITS } from '../../../src/protocol/pure/limits.ts';

export const ADMISSION: AdmissionLimits = {
  max_connections: STREAM_LIMITS.max_connections.default,
  max_connections_per_actor: STREAM_LIMITS.max_connections_per_actor.default,
  max_unauthenticated: STREAM_LIMITS.max_unauthenticated.default,
  max_events_per_actor: STREAM_LIMITS.max_events_per_actor.default,
};

/** Nobody is in yet. */
export function freshAdmission(limits: Partial<AdmissionLimits> = {}): Admission {
  return new Admission({ ...ADMISSION, ...limits });
}

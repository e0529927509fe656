/** Tokens for the test servers. */

import { nodeSystem } from '../../../src/node-system.ts';
import { signToken } from '../../../src/auth/sign-token.ts';
import { SCOPE_CLAIM, TEST_SECRET } from './server-process.ts';

const TOKEN_LIFE_SECONDS = 3_600;

/** A token of one actor for one scope. */
export function tokenFor(actor: string, scope_id: string): Promise<string> {
  return signToken({
    secret: TEST_SECRET,
    claims: { sub: actor, [SCOPE_CLAIM]: scope_id },
    ttl_seconds: TOKEN_LIFE_SECONDS,
    clock: nodeSystem.clock,
  });
}

/** The newest version of the scripted engine. */

import type { Hlc } from '../../../src/protocol/pure/hlc.ts';

export const FAKE_HEAD = '20260502T150000.000Z-0005-a1b2' as Hlc;

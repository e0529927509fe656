export interface RuleTest {
  readonly file: string;
  readonly title: string;
}
export function definedRules(document: string): string[];
export function testsByRule(): Map<string, RuleTest[]>;
export function testTitles(source: string): { ids: string[]; title: string }[];

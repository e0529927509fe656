/** The style of the page at /docs: system fonts, light and dark, one column on a phone. */

/** The text of the one `style` element; the page's policy names its hash. */
export const DOCS_STYLE = `
:root { color-scheme: light dark; --text: #1d2329; --soft: #57606a; --line: #d5dbe1; --back: #ffffff;
  --panel: #f5f7f9; --link: #0b5cad; --get: #0a6b3d; --post: #8a4b00; --bad: #a3262a; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ec; --soft: #9aa5b1; --line: #343c45;
  --back: #15191e; --panel: #1d2329; --link: #79b8ff; --get: #5fd193; --post: #f0b46a; --bad: #ff8f8f; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.88em; }
code { background: var(--panel); padding: 0.1em 0.3em; border-radius: 4px; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 0.75rem 1rem;
  overflow-x: auto; margin: 0.75rem 0; }
pre code { background: none; padding: 0; overflow-wrap: normal; }
small { color: var(--soft); font-weight: normal; font-size: 0.82em; }
p { margin: 0.5rem 0; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; background: var(--back); padding: 0.5rem; }
.frame { display: grid; grid-template-columns: 16rem minmax(0, 1fr); max-width: 76rem; margin: 0 auto; }
nav { border-right: 1px solid var(--line); padding: 1.5rem 1rem; font-size: 0.9rem; position: sticky; top: 0;
  height: 100vh; overflow-y: auto; }
nav h2 { font-size: 0.75rem; text-transform: uppercase; letter-spacing: 0.06em; color: var(--soft);
  margin: 1.25rem 0 0.35rem; border: 0; padding: 0; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; align-items: baseline; gap: 0.5rem; padding: 0.15rem 0; color: var(--text); overflow-wrap: anywhere; }
nav .brand { font-weight: 650; font-size: 1.05rem; color: var(--text); }
main { padding: 1.5rem 2rem 4rem; min-width: 0; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 0.75rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 0.5rem; padding-bottom: 0.3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
h4 { font-size: 0.8rem; text-transform: uppercase; letter-spacing: 0.05em; color: var(--soft); margin: 1.25rem 0 0.35rem; }
article { border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem; margin: 1rem 0; }
.line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.35rem 0.75rem; }
.line .summary { color: var(--soft); }
.line .lock { margin-left: auto; }
.verb { font: 700 0.72rem/1 ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; letter-spacing: 0.03em;
  min-width: 2.6rem; display: inline-block; }
h3 .verb { min-width: 0; margin-right: 0.25rem; font-size: 0.8rem; }
.get { color: var(--get); } .post { color: var(--post); }
.status { font-weight: 650; color: var(--get); } .status.bad { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; margin: 0.35rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; font-size: 0.8rem; }
tbody th { font-weight: normal; width: 15rem; }
tbody th:first-child:has(.status) { width: 4.5rem; }
.fields td:nth-child(2) { width: 14rem; }
.fields th small { white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
td p:first-child { margin-top: 0; } td p:last-child { margin-bottom: 0; }
details > summary { cursor: pointer; color: var(--soft); font-size: 0.9rem; margin-top: 0.75rem; }
footer { color: var(--soft); font-size: 0.85rem; margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
@media (max-width: 56rem) { .frame { grid-template-columns: minmax(0, 1fr); }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 1rem 1.25rem; }
  nav ul { display: flex; flex-wrap: wrap; gap: 0 1rem; } nav .verb { min-width: 0; } main { padding: 1.25rem; } article { padding: 0.85rem 1rem; } }
@media (max-width: 40rem) { .fields thead { display: none; }
  .fields tr { display: block; padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  .fields tr:last-child { border-bottom: 0; }
  .fields tr > *, .fields tr > :nth-child(2) { display: block; width: auto; border: 0; padding: 0.1rem 0; } }
@media print { nav { display: none; } .frame { display: block; } article { break-inside: avoid; } }
`;

/** The style of the page at /console: system fonts, light and dark, rows as cards on a phone. */

/** The text of the one `style` element; the page's policy names its hash. */
export const CONSOLE_STYLE = `
:root { color-scheme: light dark; --text: #1d2329; --soft: #57606a; --line: #d5dbe1; --back: #ffffff;
  --panel: #f5f7f9; --link: #0b5cad; --good: #0a6b3d; --wait: #8a4b00; --bad: #a3262a; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ec; --soft: #9aa5b1; --line: #343c45;
  --back: #15191e; --panel: #1d2329; --link: #79b8ff; --good: #5fd193; --wait: #f0b46a; --bad: #ff8f8f; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main, header { max-width: 90rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; padding-top: 1rem; }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0; }
h3 { font-size: 0.95rem; margin: 0 0 0.25rem; }
section { margin: 1.25rem 0; }
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.75rem; margin-bottom: 0.35rem; }
small, .soft { color: var(--soft); }
form { display: flex; flex-wrap: wrap; gap: 0.5rem 0.75rem; align-items: end; background: var(--panel);
  border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem 1rem; margin-top: 0.75rem; }
label { display: grid; gap: 0.15rem; font-size: 0.85rem; color: var(--soft); flex: 1 1 10rem; min-width: 0; }
label.wide { flex: 3 1 18rem; }
label.check { display: flex; align-items: center; gap: 0.4rem; flex: 0 1 auto; padding-bottom: 0.45rem; }
input[type=password], input[type=text] { font: inherit; color: var(--text); background: var(--back); width: 100%;
  border: 1px solid var(--line); border-radius: 6px; padding: 0.35rem 0.5rem; }
button { font: inherit; color: var(--link); background: none; border: 1px solid var(--line); border-radius: 6px;
  padding: 0.3rem 0.8rem; cursor: pointer; }
button.main { background: var(--link); border-color: var(--link); color: var(--back); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
#state { font-weight: 650; border: 1px solid currentColor; border-radius: 999px; padding: 0 0.7rem; color: var(--soft); }
#state[data-kind=live] { color: var(--good); }
#state[data-kind=disconnected] { color: var(--wait); }
#state[data-kind=refused], #state[data-kind=stopped] { color: var(--bad); }
#message { flex: 1 1 16rem; margin: 0; min-height: 1.5em; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 0.85rem; }
th, td { text-align: left; padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; background: var(--panel); white-space: nowrap; }
tbody tr:last-child > td { border-bottom: 0; }
td { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: isolate; }
td[data-name=version], pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.92em; }
td button { padding: 0 0.5rem; }
tr.document td { max-width: 0; white-space: normal; background: var(--panel); }
td.note { color: var(--wait); white-space: normal; }
pre { margin: 0; max-height: 24rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.1rem 1rem; margin: 0; font-size: 0.88rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
#queue:not(:empty) { border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem 1rem; margin-top: 0.5rem; }
.empty { display: none; padding: 0.75rem 1rem; color: var(--soft); margin: 0; }
.scroll:has(tbody:empty) .empty { display: block; }
@media (max-width: 48rem) { main, header { padding-left: 0.85rem; padding-right: 0.85rem; }
  thead { position: absolute; left: -999px; }
  tbody tr { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); padding: 0.5rem 0.7rem; border-bottom: 1px solid var(--line); }
  tbody td { border: 0; padding: 0.05rem 0; max-width: none; }
  td[data-name]::before { content: attr(data-name) " "; color: var(--soft); }
  td[data-name=version], tr.document td, td.note { grid-column: 1 / -1; }
  td[data-name=version]::before { content: none; }
  tbody tr.document td { max-width: none; padding: 0.35rem 0; }
  #message:empty { display: none; }
  dl { grid-template-columns: minmax(0, 1fr); } dd { margin-bottom: 0.35rem; } }
`;

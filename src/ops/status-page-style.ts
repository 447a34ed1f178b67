/** The page's only style sheet. It is named by its hash in the policy of the page, so no other can get in. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f4f5f2; --card: #ffffff; --text: #1c2320; --soft: #55605a; --line: #dde2dc; --track: #e6eae5;
  --good: #1d6b47; --good-ground: #e4f1e9; --warn: #7d5200; --warn-ground: #faf0db;
  --bad: #a12c25; --bad-ground: #fbe9e6; --accent: #2b5c88; --second: #7a5597;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121615; --card: #1a1f1e; --text: #e5eae7; --soft: #a5b0ab; --line: #2d3533; --track: #2a3130;
    --good: #7ed0a5; --good-ground: #172b22; --warn: #e8bb6a; --warn-ground: #2d2614;
    --bad: #f3958b; --bad-ground: #33201e; --accent: #8cb8e2; --second: #c3a2dd;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
.page { max-width: 58rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
a { color: var(--accent); text-underline-offset: 0.18em; text-decoration-thickness: 1px; }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
h1, h2, h3, p, ul, dl, dd, table { margin: 0; padding: 0; }
h1 { font-size: clamp(1.5rem, 4.5vw, 2.1rem); line-height: 1.2; font-weight: 650; letter-spacing: -0.018em; }
h2 { font-size: 0.8125rem; font-weight: 650; letter-spacing: 0.06em; text-transform: uppercase; color: var(--soft); margin: 2.25rem 0 0.7rem; }
h3 { font-size: 1.0625rem; font-weight: 620; line-height: 1.35; }
.top { display: flex; flex-wrap: wrap; gap: 0.35rem 1.25rem; justify-content: space-between; font-size: 0.875rem; color: var(--soft); margin-bottom: 1.1rem; }
.top strong { color: var(--text); font-weight: 620; }
.top nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; }
.top nav a { color: var(--soft); padding: 0.15rem 0; }
.hero { border-radius: 14px; padding: 1.4rem 1.5rem; border: 1px solid transparent; }
.hero p { margin-top: 0.35rem; max-width: 44rem; }
.hero.good { background: var(--good-ground); } .hero.good h1 { color: var(--good); }
.hero.warn { background: var(--warn-ground); } .hero.warn h1 { color: var(--warn); }
.hero.bad { background: var(--bad-ground); } .hero.bad h1 { color: var(--bad); }
.hero h1 svg { width: 0.82em; height: 0.82em; margin-right: 0.42em; vertical-align: -0.04em; }
.problems { list-style: none; margin-top: 1.1rem; display: grid; gap: 0.7rem; }
.problems li { background: var(--card); border-radius: 10px; padding: 0.95rem 1.1rem; border-left: 3px solid var(--bad); }
.problems .do { margin-top: 0.5rem; }
.problems .do b { font-weight: 620; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.15rem 1.3rem; }
.card + .card { margin-top: 0.8rem; }
.head { display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; align-items: baseline; justify-content: space-between; }
.soft { color: var(--soft); font-size: 0.9375rem; font-weight: 400; }
h3 .soft { margin-left: 0.35rem; }
.small { font-size: 0.875rem; color: var(--soft); }
code { font: 0.9em ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, monospace; }
.tag { font-size: 0.8125rem; font-weight: 600; padding: 0.1rem 0.6rem; border-radius: 999px; white-space: nowrap; }
.tag.good { color: var(--good); background: var(--good-ground); }
.tag.warn { color: var(--warn); background: var(--warn-ground); }
.tag.bad { color: var(--bad); background: var(--bad-ground); }
.tag.idle { color: var(--soft); background: var(--track); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.9rem 1.5rem; margin-top: 1rem; }
.facts dt { font-size: 0.8125rem; color: var(--soft); }
.facts dd { font-weight: 560; line-height: 1.4; }
.facts dd span { font-weight: 400; color: var(--soft); font-size: 0.875rem; display: block; }
.run { margin-top: 1rem; }
.run .head { font-size: 0.9375rem; margin-bottom: 0.4rem; }
progress + .small, .run + .small, table + .soft, .soft + .small, h3 + .small { margin-top: 0.55rem; }
table + .small { margin-top: 0.9rem; }
progress { appearance: none; -webkit-appearance: none; display: block; width: 100%; height: 8px; border: 0; border-radius: 4px; overflow: hidden; background: var(--track); color: var(--accent); }
progress::-webkit-progress-bar { background: var(--track); }
progress::-webkit-progress-value { background: var(--accent); border-radius: 4px; }
progress::-moz-progress-bar { background: var(--accent); border-radius: 4px; }
progress.full::-webkit-progress-value { background: var(--bad); }
progress.full::-moz-progress-bar { background: var(--bad); }
.parts { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 0.45rem 1.5rem; }
.parts li { display: flex; gap: 0.6rem; align-items: baseline; font-size: 0.9375rem; }
.parts svg { flex: none; width: 0.62rem; height: 0.62rem; }
.ink-good { color: var(--good); } .ink-bad { color: var(--bad); } .ink-idle { color: var(--soft); }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
th { text-align: left; white-space: nowrap; font-size: 0.8125rem; font-weight: 560; color: var(--soft); padding: 0 1rem 0.5rem 0; }
td { vertical-align: top; padding: 0.65rem 1rem 0.65rem 0; border-top: 1px solid var(--line); }
td:last-child, th:last-child { padding-right: 0; }
td b { font-weight: 600; }
.nowrap { white-space: nowrap; }
.chart + .chart { margin-top: 1.1rem; }
.chart .head { font-size: 0.9375rem; margin-bottom: 0.35rem; }
.chart svg { display: block; width: 100%; height: 60px; border-bottom: 1px solid var(--line); }
.commits { color: var(--accent); } .pulls { color: var(--second); }
.axis { display: flex; justify-content: space-between; font-size: 0.8125rem; color: var(--soft); margin-top: 0.35rem; }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 0.875rem; color: var(--soft); display: flex; flex-wrap: wrap; gap: 0.3rem 1.25rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 40rem) {
  .page { padding: 1rem 0.9rem 2rem; }
  .hero { padding: 1.15rem 1.1rem; }
  .card { padding: 1rem; }
  table, tbody, tr, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: 0.7rem 0; border-top: 1px solid var(--line); }
  tr:first-child { border-top: 0; padding-top: 0; }
  td { padding: 0.1rem 0; border: 0; }
  .facts { grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.9rem 1rem; }
}
@media print { .page { max-width: none; } .top nav { display: none; } }
`;

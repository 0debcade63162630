"""The page's style sheet: nothing fetched, one language at a time, cards on a phone, plain on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1c2430; --soft: #556070; --line: #d5dae1; --wash: #f4f6f8; --link: #0b4f9c; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
article { max-width: 60rem; margin: 0 auto; padding: 1rem 1rem 4rem; }
article[lang=en] { display: none; }
body:has(#en:target, [lang=en] :target) article[lang=en] { display: block; }
body:has(#en:target, [lang=en] :target) article[lang=nb] { display: none; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.4rem; margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 3px solid var(--ink); }
h3 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
h4 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
h5 { font-size: .95rem; margin: 1.1rem 0 .3rem; color: var(--soft); }
small { font-weight: normal; color: var(--soft); }
a { color: var(--link); }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.switch { text-align: right; margin: 0; }
.switch a, nav a { display: inline-block; padding: .25rem 0; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 1.25rem; margin: 0; padding: 0; }
.gap { border: 2px solid #a3330b; border-radius: .4rem; padding: .25rem 1rem; background: #fff5f0; }
.whole { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.narrow th, .n { overflow-wrap: normal; white-space: nowrap; }
.n { font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .5rem 1.25rem; margin: 0 0 .75rem;
  padding: .75rem 1rem; background: var(--wash); border-radius: .4rem; font-size: .9rem; break-inside: avoid; }
summary { cursor: pointer; padding: .2rem 0; }
summary > * { display: inline; }
summary:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; }
@media (max-width: 40rem) {
  :not(.narrow) > thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table:not(.narrow), :not(.narrow) > tbody, :not(.narrow) > tbody > tr { display: block; }
  :not(.narrow) > tbody > tr { padding: .5rem .75rem; margin-bottom: .5rem; background: var(--wash); border-radius: .4rem; }
  :not(.narrow) > tbody td { border: 0; padding: .15rem 0; display: grid; grid-template-columns: 40% 1fr; gap: .5rem; }
  :not(.narrow) > tbody td::before { content: attr(data-label); color: var(--soft); font-size: .8rem; }
  dl { grid-template-columns: 1fr; }
  dl > div { display: grid; grid-template-columns: 40% 1fr; gap: .5rem; }
}
@media print {
  body { font-size: 9.5pt; }
  article { max-width: none; padding: 0; }
  .switch, nav { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; }
  dl { background: none; border: 1px solid var(--line); }
  h2, h3, h4, h5 { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""

/** @file The look of a report: one column, system fonts, light and dark. */

export const pageStyle = `
:root { color-scheme: light dark; --paper: #f7f7f5; --card: #fff; --ink: #1c1d20; --dim: #6a6d74; --line: #e3e3df; --grid: #ecece8;
  --tone-1: #2b6cb0; --tone-2: #c05d1a; --tone-3: #2f855a; --tone-4: #7d54a5; --tone-5: #55606e; --bad: #c53030; --good: #2f855a; --wash: #f1f1ee; }
@media (prefers-color-scheme: dark) { :root { --paper: #131417; --card: #1b1d21; --ink: #e6e7ea; --dim: #969aa3; --line: #2d3036; --grid: #272a2f;
  --tone-1: #69a7e8; --tone-2: #e39a5c; --tone-3: #6cc494; --tone-4: #b593dc; --tone-5: #a3adba; --bad: #f08080; --good: #6cc494; --wash: #23262b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 22px; margin: 0; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 32px 0 10px; font-weight: 650; }
h3 { font-size: 13px; margin: 0 0 8px; font-weight: 650; }
header .dim { margin: 2px 0 0; }
.dim, .note { color: var(--dim); }
.note { font-size: 12.5px; margin: 6px 0 0; }
.notice { border: 1px solid var(--line); border-left: 3px solid var(--tone-2); background: var(--card); padding: 8px 12px; margin: 12px 0 0; border-radius: 4px; }
nav { margin: 10px 0 0; display: flex; gap: 16px; flex-wrap: wrap; font-size: 13px; }
a { color: var(--tone-1); text-decoration: none; } a:hover { text-decoration: underline; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); margin: 16px 0 0; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
.tiles div { box-shadow: 0 0 0 0.5px var(--line); padding: 9px 12px; } .tiles dt { color: var(--dim); font-size: 12px; overflow-wrap: anywhere; }
.tiles dd { margin: 0; font-size: 18px; font-weight: 600; } .tiles .bad dd { color: var(--bad); } .tiles .good dd { color: var(--good); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); gap: 12px; margin-top: 12px; }
.card, .chart { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; margin: 0; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; font-size: 13px; margin-bottom: 4px; }
.legend { margin-left: auto; display: flex; flex-wrap: wrap; gap: 0 14px; color: var(--dim); font-size: 12.5px; } .legend b { color: var(--ink); font-weight: 600; }
.key i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 5px; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--dim); font-size: 11px; }
.chart .spare { display: none; } @media (max-width: 640px) { .wide svg:not(.spare) { display: none; } .wide .spare { display: block; } svg text { font-size: 15px; } }
.axes line { stroke: var(--grid); stroke-width: 1; } .axes .base { stroke: var(--line); }
.curve { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; } .curve.faint { opacity: 0.32; stroke-width: 1; }
.tone-1 { stroke: var(--tone-1); } .tone-2 { stroke: var(--tone-2); } .tone-3 { stroke: var(--tone-3); } .tone-4 { stroke: var(--tone-4); } .tone-5 { stroke: var(--tone-5); }
.fill-1 { fill: var(--tone-1); background: var(--tone-1); } .fill-2 { fill: var(--tone-2); background: var(--tone-2); } .fill-3 { fill: var(--tone-3); background: var(--tone-3); }
.fill-4 { fill: var(--tone-4); background: var(--tone-4); } .fill-5 { fill: var(--tone-5); background: var(--tone-5); } .fill-bad { fill: var(--bad); background: var(--bad); }
.stay { opacity: 0.75; }
.mark { stroke-width: 1; stroke-dasharray: 3 3; } .mark.bad { stroke: var(--bad); opacity: 0.7; } .mark.plain { stroke: var(--tone-5); opacity: 0.6; }
.hits rect { fill: transparent; } .hits rect:hover { fill: var(--ink); opacity: 0.07; }
table { border-collapse: collapse; width: 100%; font-size: 13px; } th, td { text-align: left; vertical-align: top; padding: 3px 10px 3px 0; border-top: 1px solid var(--grid); overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; } tbody th { font-weight: 400; color: var(--dim); width: 42%; } .num { text-align: right; white-space: nowrap; }
.scroll { max-height: 460px; overflow: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px; margin-top: 8px; }
.events th, .events td { padding: 4px 12px; } .events thead th { position: sticky; top: 0; background: var(--wash); font-weight: 600; color: var(--dim); z-index: 1; }
.events td:last-child { width: 70%; } .tag { white-space: nowrap; } .events .minor { color: var(--dim); } .events .bad .tag { color: var(--bad); font-weight: 600; } .events .good .tag { color: var(--good); font-weight: 600; }
.apart { margin: 24px 0 0; } pre { font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-x: auto; margin: 0; }
.wide-table { overflow-x: auto; } .confusion { width: auto; margin-top: 8px; } .confusion th, .confusion td { border: 0; padding: 3px 6px; text-align: center; min-width: 34px; width: auto; color: var(--dim); font-weight: 400; }
.confusion tbody th { text-align: right; } .confusion td { color: var(--ink); border: 1px solid var(--card); }
.confusion .right { background: color-mix(in srgb, var(--tone-3) var(--share), var(--wash)); } .confusion .wrong { background: color-mix(in srgb, var(--bad) var(--share), var(--wash)); }
.scatter { max-width: 460px; } .dot { opacity: 0.55; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 280px), 1fr)); gap: 12px; margin-top: 12px; } .kind-columns { grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); } .kind-tokens { grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
.verdict { margin: 0 0 8px; } .verdict.right b { color: var(--good); } .verdict.wrong b { color: var(--bad); }
.pictures { display: flex; gap: 10px; flex-wrap: wrap; } .pictures figure { margin: 0; flex: 1 1 0; max-width: 120px; min-width: 60px; } .pictures img { display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; border: 1px solid var(--line); }
.pictures figcaption { color: var(--dim); font-size: 11px; margin: 3px 0 0; } .attention { margin-top: 10px; }
.columns thead th { color: var(--dim); font-weight: 400; } .columns tbody th { width: auto; color: var(--ink); } .columns .bar { position: relative; width: 26%; padding: 0; background: linear-gradient(var(--line), var(--line)) center / 1px 100% no-repeat; } .columns td.num { padding-right: 14px; }
.bar i { position: absolute; top: 5px; bottom: 5px; } .bar .for { background: #b2182b; } .bar .against { background: #2166ac; }
.tokens { margin: 0 0 6px; line-height: 1.9; } .tokens span:not(.dim) { padding: 2px 3px; margin-right: 2px; border-radius: 3px; white-space: pre-wrap; }
@media print { body { background: #fff; } .scroll { max-height: none; } .chart, .card { break-inside: avoid; } }
`;

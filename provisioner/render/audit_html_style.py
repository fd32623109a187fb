"""The look of the audit's page: light and dark by the reader's own setting, one column on a phone, plain on paper.

Colours are pairs that keep 4.5:1 for text; no meaning rests on a colour alone.
"""

from __future__ import annotations

CSS = """
:root{color-scheme:light dark;--bg:#fff;--card:#f6f8fa;--ink:#1b1f24;--dim:#57606a;--edge:#d0d7de;--line:#0a5bb5;
--served:#2f77c9;--retiring:#8fb8e8;--ahead:#cfe0f5;--gap:#b42318;--floor:#b42318;--buy:#1a7f37;--doubt:#8250df;
--error:#b42318;--error-bg:#fdecea;--warning:#7d4e00;--warning-bg:#fff4d6;--note:#0a5bb5;--note-bg:#e7f1fd;
--good:#1a7f37;--good-bg:#e3f6e8}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1d2127;--ink:#e6e8ea;--dim:#a3abb4;--edge:#3a414a;
--line:#6cb2ff;--served:#4d94e8;--retiring:#33598a;--ahead:#24384f;--gap:#ff8a7a;--floor:#ff8a7a;--buy:#5fd07e;
--doubt:#c4a1ff;--error:#ff9a8c;--error-bg:#3b1a17;--warning:#f0c14b;--warning-bg:#352a10;--note:#7cb9ff;
--note-bg:#152a42;--good:#5fd07e;--good-bg:#12301c}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.page{max-width:62rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.3rem;margin:2.75rem 0 .75rem;padding-bottom:.3rem;border-bottom:1px solid var(--edge)}
h3{font-size:1.1rem;margin:1.75rem 0 .4rem}
h4{font-size:1rem;margin:1.25rem 0 .2rem}
p{margin:.4rem 0 .8rem;max-width:48rem}
a{color:var(--line)}
:focus-visible{outline:3px solid var(--line);outline-offset:2px}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.dim,.none{color:var(--dim)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;list-style:none;margin:1rem 0 0;padding:0}
.verdict{margin:1.25rem 0;padding:.8rem 1rem;border-left:5px solid;border-radius:4px}
.verdict p{margin:0;max-width:none}.verdict strong{font-size:1.1rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:1rem 0;padding:0}
.tiles{list-style:none}
.tiles li{background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:.7rem .9rem}
.tiles .name{display:block;color:var(--dim);font-size:.85rem}
.tiles .value{display:block;font-size:1.3rem;font-weight:600;line-height:1.3}
.tiles .more{display:block;font-size:.85rem}
.tag{display:inline-block;padding:.05rem .5rem;border-radius:1rem;font-size:.8rem;font-weight:600;white-space:nowrap}
.error{color:var(--error);background:var(--error-bg);border-color:var(--error)}
.warning{color:var(--warning);background:var(--warning-bg);border-color:var(--warning)}
.note{color:var(--note);background:var(--note-bg);border-color:var(--note)}
.good{color:var(--good);background:var(--good-bg);border-color:var(--good)}
.plain{color:var(--dim);background:var(--card);border:1px solid var(--edge)}
.table{width:100%;border-collapse:collapse;font-size:.92rem;margin:.5rem 0 1rem}
.table th{text-align:left;color:var(--dim);font-weight:600;font-size:.82rem}
.table th,.table td{padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--edge);vertical-align:top}
.table td:last-child,.table th:last-child{padding-right:0}
h4+p{font-size:.92rem;margin:.1rem 0 .3rem}
.figures td:nth-child(n+2){font-variant-numeric:tabular-nums}
.headless thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.findings{table-layout:fixed}.findings col:nth-child(1){width:23%}.findings col:nth-child(3){width:16%}
.findings col:nth-child(4){width:30%}
figure{margin:1rem 0 .5rem}
figcaption{font-weight:600;margin-bottom:.25rem}
svg{display:block;width:100%;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--dim)}
svg text{paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}
.grid{stroke:var(--edge);stroke-width:1}
.level{stroke:var(--line);stroke-width:2;stroke-linecap:square}
.minimum{stroke:var(--floor);stroke-width:1.5;stroke-dasharray:6 4}
svg .minimum-name{fill:var(--floor)}
.runs code{overflow-wrap:normal;white-space:nowrap}
.unexplained{fill:none;stroke:var(--gap);stroke-width:2}
.bought{fill:var(--buy)}.bought-doubt{fill:none;stroke:var(--doubt);stroke-width:2}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;list-style:none;margin:.25rem 0 .75rem;padding:0;font-size:.85rem}
.legend svg{display:inline-block;width:1.5rem;height:14px;vertical-align:-2px;margin-right:.35rem}
.served{fill:var(--served)}.retiring{fill:var(--retiring)}
.ahead{fill:var(--ahead);stroke:var(--served);stroke-width:1}
.maybe{fill:none;stroke:var(--doubt);stroke-width:1.5;stroke-dasharray:3 3}
.gap{stroke:var(--gap);stroke-width:3;stroke-dasharray:2 3}
.track{stroke:var(--edge);stroke-width:1}
.now{stroke:var(--ink);stroke-width:1;stroke-dasharray:1 2}
.event{stroke:var(--bg);stroke-width:1.5;fill:var(--ink)}
.event-doubt{fill:var(--doubt)}.event-ended{fill:none;stroke:var(--ink);stroke-width:2}
.life{padding:.35rem 0 .5rem;border-bottom:1px solid var(--edge);break-inside:avoid}
.life .head{display:flex;flex-wrap:wrap;gap:.15rem .6rem;align-items:baseline;font-size:.9rem}
.life .head .dim{font-size:.85rem}
.axis{position:sticky;top:0;background:var(--bg);padding-top:.3rem;z-index:1}
.guard{min-width:9rem}
.guard .used{fill:var(--served)}.guard .over{fill:var(--gap)}.guard .room{fill:var(--ahead)}
details{margin:.5rem 0 1rem}
summary{cursor:pointer;color:var(--line);font-size:.92rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:.5rem 0 1rem}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
footer{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--edge);color:var(--dim);font-size:.9rem}
@media (max-width:40rem){
.page{padding:1rem .9rem 3rem}h1{font-size:1.4rem}.tiles{grid-template-columns:1fr 1fr}
.table thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.table,.table tbody,.table tr,.table td{display:block;width:auto!important}
.table tr{padding:.5rem 0;border-bottom:1px solid var(--edge)}
.table td{border:0;padding:.12rem 0}
.table td::before{content:attr(data-label);display:block;color:var(--dim);font-size:.78rem}
.runs td{display:inline;margin-right:.7rem}.runs td::before{content:none}
dl{grid-template-columns:1fr}dt{margin-top:.4rem}
}
@media print{
:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--dim:#444;--edge:#bbb;--line:#0a5bb5;--served:#2f77c9;
--retiring:#8fb8e8;--ahead:#cfe0f5;--gap:#b42318;--floor:#b42318;--buy:#1a7f37;--doubt:#8250df;--error:#b42318;
--error-bg:#fff;--warning:#7d4e00;--warning-bg:#fff;--note:#0a5bb5;--note-bg:#fff;--good:#1a7f37;--good-bg:#fff}
@page{margin:16mm}
body{font-size:10.5pt}.page{max-width:none;padding:0}nav{display:none}
svg,.tag,.verdict,.tiles li{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.tag,.verdict,.tiles li{border:1px solid}.verdict{border-left-width:5px}
.axis{position:static}h2,h3,h4,h4+p,figcaption,.legend,.axis{break-after:avoid}
figure,tr,details,.tiles li{break-inside:avoid}
details:not([open]){display:none}
summary{color:var(--ink);list-style:none}summary::marker{content:""}
a{color:inherit;text-decoration:none}
}
""".strip()

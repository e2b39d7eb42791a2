"use strict";(self.rspackChunkhailuo_jupyter=self.rspackChunkhailuo_jupyter||[]).push([[1],{30(o,i,a){var t=a(31),e=a.n(t),r=a(32),l=(a.n(r))()(e());l.push([o.id,`/* The live card takes its twin's place while it lives. */
.hailuo-output.hailuo-mod-live > .hailuo-static,
.hailuo-output:not(.hailuo-mod-live) > .hailuo-card {
  display: none;
}

/* What is wide in it scrolls by itself; an output that is a pixel too high would be a stop for nobody. */
.hailuo-output.jp-OutputArea-output {
  position: relative;
  overflow: visible;
}

.hailuo-output > .hailuo-static.jp-RenderedHTMLCommon {
  padding-right: 0;
}

.hailuo-announcement {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

/* Room for a run whose turn to be drawn has not come. */
.hailuo-output.hailuo-mod-waiting:not(.hailuo-mod-live) {
  min-height: 12em;
}

.hailuo-record pre {
  max-height: 60vh;
  margin: 0;
  padding: 8px;
  overflow: auto;
  background: var(--jp-layout-color2);
  color: var(--jp-content-font-color1);
  font-family: var(--jp-code-font-family);
  font-size: var(--jp-code-font-size);
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

/* Clips that play in step: one bar below them. */
.hailuo-bar {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 4px 12px;
  margin: 8px 0 4px;
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
}

.hailuo-bar button {
  min-width: 64px;
  padding: 3px 10px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: inherit;
  font: inherit;
  line-height: 18px;
  cursor: pointer;
}

.hailuo-bar input[type='range'] {
  flex: 1 1 160px;
  min-width: 100px;
  height: 24px;
  margin: 0;
  accent-color: var(--jp-brand-color1);
}

.hailuo-bar span {
  font-variant-numeric: tabular-nums;
  white-space: nowrap;
}

.hailuo-bar label {
  display: flex;
  align-items: center;
  gap: 4px;
  min-height: 24px;
  cursor: pointer;
}

.hailuo-bar :is(button, input):focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

.hailuo-actions,
.hailuo-row {
  display: flex;
  gap: 6px;
}

.hailuo-actions {
  flex-direction: column;
}

.hailuo-actions button {
  flex: 0 1 auto;
  min-width: 34px;
  padding: 3px 9px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 18px;
  white-space: pre;
  text-overflow: ellipsis;
  overflow: hidden;
  cursor: pointer;
}

/* Colours of JupyterLab's own dialogs: white is legible on them in every theme, also hovered. */
.hailuo-actions button.hailuo-primary {
  border-color: var(--jp-accept-color-normal, #1976d2);
  background: var(--jp-accept-color-normal, #1976d2);
  color: #fff;
}

.hailuo-actions button.hailuo-primary:hover {
  border-color: var(--jp-accept-color-hover, #1565c0);
  background: var(--jp-accept-color-hover, #1565c0);
}

.hailuo-actions button.hailuo-more {
  flex: none;
  width: 34px;
  padding: 3px 0;
}

.hailuo-actions button:hover,
.hailuo-bar button:hover {
  background: var(--jp-layout-color2);
}

.hailuo-actions button:focus-visible,
.hailuo-static summary:focus-visible,
.hailuo-record pre:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

.hailuo-stars {
  display: flex;
  align-items: center;
  gap: 4px;
  margin-left: 6px;
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 24px;
  white-space: nowrap;
}

/* Among many: flush with the clip above. */
.hailuo-stars.hailuo-mod-compact {
  margin-left: -4px;
}

.hailuo-stars-group {
  display: flex;
}

.hailuo-stars-group > * {
  position: relative;
  min-width: 24px;
  border-radius: var(--jp-border-radius);
  color: inherit;
  font-size: 16px;
  text-align: center;
}

.hailuo-mod-compact > .hailuo-stars-group > * {
  min-width: 20px;
}

/* The rating 0, after the stars: shown to who rates, or if it is the rating. */
.hailuo-stars-group > :first-child {
  order: 1;
  font-size: var(--jp-ui-font-size1);
  pointer-events: none;
}

.hailuo-stars-group > :first-child > span {
  visibility: hidden;
}

.hailuo-stars-group > .hailuo-mod-chosen:first-child {
  font-weight: 600;
  text-decoration: underline;
}

.hailuo-stars-group > label {
  cursor: pointer;
}

.hailuo-stars-group > label:hover {
  background: var(--jp-layout-color2);
}

.hailuo-stars-group > label:has(input:focus-visible) {
  outline: 2px solid var(--jp-brand-color1);
}

.hailuo-stars-group:hover > label:first-child,
.hailuo-stars-group:has(:focus-visible) > label:first-child {
  pointer-events: auto;
}

.hailuo-stars-group > .hailuo-mod-chosen:first-child > span,
.hailuo-stars-group:hover > label:first-child > span,
.hailuo-stars-group:has(:focus-visible) > label:first-child > span {
  visibility: visible;
}

/* A button, and not the value of the stars before it. */
.hailuo-stars-group > label:first-child:not(.hailuo-mod-chosen) > span {
  padding: 0 5px;
  border-radius: var(--jp-border-radius);
  outline: 1px solid var(--jp-border-color1);
}

.hailuo-stars input {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  margin: 0;
  opacity: 0;
  cursor: pointer;
}

.hailuo-compare video,
.hailuo-grid video {
  cursor: pointer;
}

.hailuo-grid video:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

.hailuo-untrusted {
  margin: 8px 0 0;
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
}

.hailuo-actions button[aria-disabled='true'] {
  color: var(--jp-ui-font-color2);
  cursor: default;
}

.hailuo-dialog p {
  max-width: 60ch;
  margin: 0 0 8px;
  overflow-wrap: anywhere;
}

/* JupyterLab breaks the lines of errors and prints inside words; in our cells they break between them. */
.jp-CodeCell:has(.cm-content[data-language='hailuo'])
  .jp-OutputArea-output
  pre {
  word-break: normal;
  overflow-wrap: anywhere;
}
`,""]),a.d(i,{},{A:l})},34(o,i,a){var t=a(31),e=a.n(t),r=a(32),l=(a.n(r))()(e());l.push([o.id,`/*
 * A card: the clip, or its room until it is there, and facts and actions beside it, all at the same
 * place before and after. The templates' own styles let them wrap; in a wide output they do not.
 */
.hailuo-output {
  container: hailuo / inline-size;
}

/* ipywidgets has every box scroll; a card that is a pixel too high would be a stop for nobody. */
.hailuo-card .hailuo-columns,
.hailuo-card .hailuo-side,
.hailuo-card .hailuo-media {
  overflow: visible;
}

@container hailuo (width >= 620px) {
  :is(.hailuo-frame:only-child, .hailuo-card) > .hailuo-columns {
    flex-wrap: nowrap !important;
  }

  :is(.hailuo-frame:only-child, .hailuo-card)
    > .hailuo-columns
    > .hailuo-media {
    flex: 0 1 auto;
    min-width: 200px !important;
  }

  :is(.hailuo-frame:only-child, .hailuo-card) > .hailuo-columns > .hailuo-side {
    flex: 1 0 290px !important;
  }
}

.hailuo-static .hailuo-side {
  display: flex;
  flex-direction: column;
  gap: 4px;
}

/* As high as wide clips are, whatever the shape of this one. */
.hailuo-static .hailuo-media > .hailuo-clip {
  grid-template-rows: 100%;
  aspect-ratio: 16 / 9;
  min-height: 0;
  place-items: center;
}

.hailuo-static .hailuo-media > .hailuo-clip > * {
  max-height: 100%;
  object-fit: contain;
}

/* The takes have their place beside the title, whose length differs from one to the next. */
.hailuo-title:has(> .hailuo-takes),
.hailuo-card .hailuo-side:has(> .hailuo-takes) .hailuo-title {
  position: relative;
  padding-right: 132px;
}

/* JupyterLab's own margins would move the cells below when the clip takes its room. */
.hailuo-static.jp-RenderedHTMLCommon > :last-child {
  margin-bottom: 0;
}

.hailuo-side > .hailuo-stars {
  margin-left: -4px;
}

.hailuo-side > .hailuo-stars .hailuo-stars-group > * {
  min-width: 24px;
}

/* The last row, at the clip's foot. */
.hailuo-static .hailuo-side > .hailuo-fold {
  margin-top: auto !important;
}

.hailuo-static .hailuo-price[title],
.hailuo-card .hailuo-price[title] {
  text-decoration: underline dotted;
  text-underline-offset: 3px;
  cursor: help;
}

/* The stars say it. */
.hailuo-static .hailuo-rated,
.hailuo-mod-prompt-above .hailuo-prompt,
.hailuo-output:not(.hailuo-mod-edited) .hailuo-if-edited,
.hailuo-mod-edited .hailuo-unless-edited {
  display: none;
}

.hailuo-edited {
  padding-left: 8px;
  border-left: 2px solid var(--jp-warn-color1);
  color: var(--jp-ui-font-color1);
}

.hailuo-room {
  animation: hailuo-shimmer 2.4s ease-in-out infinite alternate;
}

.hailuo-mod-untracked .hailuo-room {
  animation: none;
}

@keyframes hailuo-shimmer {
  from {
    opacity: 1;
  }

  to {
    opacity: 0.6;
  }
}

@media (prefers-reduced-motion: reduce) {
  .hailuo-room {
    animation: none;
  }
}

.hailuo-takes {
  position: absolute;
  top: -2px;
  right: 0;
  display: inline-flex;
  align-items: center;
  gap: 2px;
  font-size: 13px;
  white-space: nowrap;
}

.hailuo-takes button {
  min-width: 24px;
  height: 24px;
  padding: 0;
  border: 0;
  border-radius: var(--jp-border-radius);
  background: none;
  color: inherit;
  font: inherit;
  font-size: 16px;
  line-height: 20px;
  cursor: pointer;
}

.hailuo-takes button:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
}

.hailuo-takes button:hover:not([aria-disabled='true']) {
  background: var(--jp-layout-color2);
}

.hailuo-takes button[aria-disabled='true'] {
  visibility: hidden; /* its room stays, so that the other does not move */
}

.hailuo-compared {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr));
  gap: 8px 16px;
  width: min(80vw, 900px);
}

.hailuo-compared figure {
  min-width: 0;
  margin: 0;
}

.hailuo-compared video {
  width: 100%;
  aspect-ratio: 16 / 9;
  background: #000;
  cursor: pointer;
}

/* The page's own parts of a live card: the takes in the title's row, buttons below. */
.hailuo-card .hailuo-side {
  position: relative;
}

.hailuo-absent > .hailuo-actions {
  margin-top: 4px;
}

.hailuo-card .hailuo-side > .hailuo-actions {
  margin-top: 6px;
}

/* The button says it. */
.hailuo-card .hailuo-side:has(> .hailuo-actions) .hailuo-can-cancel {
  display: none;
}

/* A contact sheet's buttons; the one that stops or resumes is last, so that none moves when it goes. */
.hailuo-sheet-tools {
  margin: 0 0 8px;
}

/* Its command is for where there is no button. */
.hailuo-static:has(.hailuo-sheet-tools) .hailuo-command {
  display: none;
}

.hailuo-sheet-tools > .hailuo-row {
  flex-wrap: wrap;
  align-items: center;
}

/* Room for the longer of their labels. */
.hailuo-sheet-tools button.hailuo-play-all {
  min-width: 76px;
}

.hailuo-sheet-tools button.hailuo-compare-ticked {
  min-width: 96px;
}

.hailuo-size {
  display: flex;
  align-items: center;
  gap: 6px;
  padding: 0 6px;
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
}

.hailuo-size select {
  height: 26px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: inherit;
  font: inherit;
}

.hailuo-tick {
  z-index: 1;
  display: flex;
  grid-area: 1 / 1 / 2 / 2;
  place-content: center;
  place-self: start;
  align-items: center;
  width: 24px;
  height: 24px;
  margin: 4px;
  border-radius: 4px;
  background: rgb(0 0 0 / 55%);
  cursor: pointer;
}

.hailuo-tick input {
  width: 16px;
  height: 16px;
  margin: 0;
  accent-color: var(--jp-brand-color1);
  cursor: pointer;
}

.hailuo-tick:has(:focus-visible),
.hailuo-size select:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

.hailuo-compared.hailuo-mod-many {
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 220px), 1fr));
}

/* The kernel has written the takes' widths for medium ones into the elements. */
.hailuo-grid.hailuo-mod-small td > div:first-child > div {
  flex-basis: 112px !important;
}

.hailuo-grid.hailuo-mod-large td > div:first-child > div {
  flex-basis: 300px !important;
  max-width: 640px !important;
}

/* As high as facts and actions of a finished clip, which may need more room than a narrow clip does. */
.hailuo-media:has(.hailuo-room, .hailuo-clip, img) + .hailuo-side {
  min-height: 254px;
}

@container hailuo (width >= 620px) {
  :is(.hailuo-frame:only-child, .hailuo-card)
    > .hailuo-columns
    > .hailuo-media:has(.hailuo-room, .hailuo-clip, img)
    + .hailuo-side {
    min-height: 270px;
  }
}

/* Title, options and file take two lines each. */
@container hailuo (620px <= width < 860px) {
  :is(.hailuo-frame:only-child, .hailuo-card)
    > .hailuo-columns
    > .hailuo-media:has(.hailuo-room, .hailuo-clip, img)
    + .hailuo-side {
    min-height: 288px;
  }
}

/* Four buttons beside a narrow clip: their labels stay whole. */
@container hailuo (620px <= width < 720px) {
  .hailuo-row {
    gap: 4px;
  }

  .hailuo-static .hailuo-actions button {
    min-width: 26px;
    padding-inline: 5px;
    font-size: 12px;
  }

  .hailuo-static .hailuo-actions button.hailuo-more {
    width: 26px;
    padding-inline: 0;
  }
}
`,""]),a.d(i,{},{A:l})},33(o,i,a){var t=a(31),e=a.n(t),r=a(32),l=(a.n(r))()(e());l.push([o.id,`/* The side panel with a notebook's runs. */
.hailuo-runs {
  container-type: inline-size;
  display: flex;
  flex-direction: column;
  min-width: 160px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.45;
  overflow: hidden;
}

.hailuo-runs [hidden] {
  display: none;
}

.hailuo-runs-head {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 8px;
  padding: 10px 12px 4px;
}

.hailuo-runs-head h2 {
  margin: 0;
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
}

.hailuo-runs-name {
  min-width: 0;
  overflow: hidden;
  opacity: 0.8;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.hailuo-runs-filter {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
  padding: 4px 12px;
}

.hailuo-runs-filter input,
.hailuo-runs-filter select {
  box-sizing: border-box;
  flex: 1 1 120px;
  min-width: 0;
  max-width: 100%;
  height: 28px;
  padding: 0 8px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font: inherit;
}

.hailuo-runs-filter input {
  flex: 3 1 160px;
}

.hailuo-runs-filter input::placeholder {
  color: var(--jp-ui-font-color1);
  opacity: 0.75;
}

.hailuo-runs-count {
  padding: 2px 12px 4px;
  opacity: 0.8;
}

.hailuo-runs-list {
  flex: 1 1 auto;
  min-height: 0;
  margin: 0;
  padding: 0 6px 12px;
  overflow: auto;
  list-style: none;
}

.hailuo-run {
  position: relative;
  display: flex;
  flex-wrap: wrap;
  border-top: 1px solid var(--jp-border-color2);
  content-visibility: auto;
  contain-intrinsic-size: auto 96px;
}

.hailuo-run-open {
  display: flex;
  flex: 1 1 100%;
  gap: 10px;
  min-width: 0;
  padding: 8px 30px 9px 6px;
  border: 0;
  border-radius: var(--jp-border-radius);
  background: none;
  color: inherit;
  font: inherit;
  text-align: left;
  cursor: pointer;
}

.hailuo-run-menu {
  position: absolute;
  top: 6px;
  right: 2px;
  width: 26px;
  height: 26px;
  border: 0;
  border-radius: var(--jp-border-radius);
  background: none;
  color: inherit;
  font-size: 16px;
  line-height: 1;
  cursor: pointer;
}

.hailuo-run-takes {
  margin: 0 0 8px 112px;
  padding: 2px 8px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 10px;
  background: none;
  color: inherit;
  font: inherit;
  cursor: pointer;
}

.hailuo-run-takes::after {
  display: inline-block;
  margin-left: 6px;
  content: '▸';
}

.hailuo-run-takes[aria-expanded='true']::after {
  content: '▾';
}

/* A take of the request above it. */
.hailuo-run.hailuo-mod-earlier {
  margin-left: 18px;
  padding-left: 6px;
  border-top: 0;
  border-left: 2px solid var(--jp-border-color2);
}

video.hailuo-run-player {
  box-sizing: border-box;
  width: 100%;
  max-width: 480px;
  margin: 0 6px 10px;
  border-radius: var(--jp-border-radius);
  background: #000;
}

p.hailuo-run-player {
  margin: 0 6px 10px;
  overflow-wrap: anywhere;
}

.hailuo-run-open:hover,
.hailuo-run-takes:hover,
.hailuo-run-menu:hover {
  background: var(--jp-layout-color2);
}

.hailuo-run-poster {
  flex: none;
  width: 96px;
  height: 54px;
  margin-top: 2px;
  border-radius: var(--jp-border-radius);
  background: #000;
  object-fit: contain;
}

/* Nothing to be seen yet: a quiet ground, with a play mark where a click plays. */
.hailuo-run-poster.hailuo-mod-empty {
  box-sizing: border-box;
  display: flex;
  align-items: center;
  justify-content: center;
  border: 1px dashed var(--jp-border-color1);
  background: var(--jp-layout-color2);
}

.hailuo-run-facts {
  display: flex;
  flex: 1 1 0;
  flex-direction: column;
  min-width: 0;
  overflow-wrap: anywhere;
}

.hailuo-run-head {
  display: flex;
  flex-wrap: wrap;
  gap: 0 8px;
  align-items: baseline;
  justify-content: space-between;
}

.hailuo-run-name {
  min-width: 0;
  overflow-wrap: anywhere;
  font-weight: 600;
}

.hailuo-run-state {
  font-weight: 600;
}

.hailuo-run-state::before {
  display: inline-block;
  width: 8px;
  height: 8px;
  margin-right: 6px;
  border-radius: 50%;
  background: var(--hailuo-tone);
  content: '';
}

.hailuo-run[data-tone='working'] {
  --hailuo-tone: #3b82f6;
}

.hailuo-run[data-tone='waiting'] {
  --hailuo-tone: #b7791f;
}

.hailuo-run[data-tone='done'] {
  --hailuo-tone: #2e9e4f;
}

.hailuo-run[data-tone='broken'] {
  --hailuo-tone: #e5484d;
}

.hailuo-run time,
.hailuo-run-take,
.hailuo-run-faint {
  opacity: 0.8;
}

.hailuo-run time {
  font-variant-numeric: tabular-nums;
  white-space: nowrap;
}

.hailuo-run-prompt {
  display: -webkit-box;
  overflow: hidden;
  unicode-bidi: isolate;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 2;
}

.hailuo-run-stars {
  letter-spacing: 1px;
}

.hailuo-run-tags {
  display: flex;
  flex-wrap: wrap;
  gap: 4px;
  margin-top: 3px;
}

.hailuo-run-tag {
  padding: 0 7px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 9px;
  unicode-bidi: isolate;
}

.hailuo-runs :is(button, input, select, video):focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.hailuo-runs-empty {
  padding: 12px;
}

.hailuo-runs-empty p {
  margin: 0 0 10px;
}

.hailuo-runs-button {
  padding: 5px 12px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: inherit;
  font: inherit;
  cursor: pointer;
}

.hailuo-runs-button:hover {
  background: var(--jp-layout-color2);
}

/* Where there is little room, what is long stands below the picture, over the whole width. */
@container (max-width: 340px) {
  .hailuo-run-open {
    display: grid;
    grid-template-columns: 72px minmax(0, 1fr);
    gap: 0 8px;
  }

  .hailuo-run-takes {
    margin-left: 6px;
  }

  .hailuo-run.hailuo-mod-earlier {
    margin-left: 8px;
  }

  .hailuo-run-poster {
    width: 72px;
    height: 41px;
    margin-bottom: 4px;
  }

  .hailuo-run-facts {
    display: contents;
  }

  .hailuo-run-facts > :not(.hailuo-run-head) {
    grid-column: 1 / -1;
  }

  .hailuo-run-head {
    flex-direction: column;
    gap: 0;
    justify-content: start;
  }
}

.hailuo-status button {
  height: 100%;
  padding: 0 6px;
  border: 0;
  background: none;
  color: inherit;
  font: inherit;
  line-height: 24px;
  cursor: pointer;
}

.hailuo-status button:hover {
  background: var(--jp-layout-color3);
}

.hailuo-status button:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}
`,""]),a.d(i,{},{A:l})},35(o,i,a){var t=a(31),e=a.n(t),r=a(32),l=(a.n(r))()(e());l.push([o.id,`/* A table of runs: one row a run, its clip at the left. */
.hailuo-table {
  padding: 2px 0 4px;
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.4;
}

.hailuo-table-caption {
  overflow: hidden;
  font-weight: 600;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.hailuo-table-tools {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 4px 6px;
  margin: 6px 0;
}

.hailuo-table-tools button {
  min-height: 26px;
  padding: 2px 10px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: inherit;
  font: inherit;
  cursor: pointer;
}

.hailuo-table-tools button:hover {
  background: var(--jp-layout-color2);
}

.hailuo-table-tools button[aria-disabled='true'] {
  border-color: var(--jp-border-color2);
  background: none;
  color: var(--jp-ui-font-color2);
  cursor: default;
}

.hailuo-table-tools [role='status'] {
  margin-left: 6px;
  color: var(--jp-ui-font-color2);
  overflow-wrap: anywhere;
}

.hailuo-table-scroll {
  position: relative;
  overflow-x: auto;
}

.hailuo-table table {
  width: 100%;
  max-width: 1200px;
  border-collapse: collapse;
  text-align: left;
}

.hailuo-table :is(th, td) {
  padding: 6px 8px;
  border-bottom: 1px solid var(--jp-border-color2);
  font-weight: 400;
  text-align: left;
  vertical-align: top;
}

.hailuo-table thead th {
  padding-block: 2px;
  color: var(--jp-ui-font-color2);
  vertical-align: middle;
  white-space: nowrap;
}

.hailuo-table-sort {
  margin-left: -6px;
  padding: 4px 6px;
  border: 0;
  border-radius: var(--jp-border-radius);
  background: none;
  color: inherit;
  font: inherit;
  cursor: pointer;
}

.hailuo-table-sort > span {
  display: inline-block;
  width: 1.3em;
  text-align: center;
}

.hailuo-table th[aria-sort] {
  color: var(--jp-ui-font-color1);
  font-weight: 600;
}

.hailuo-table tr:has(.hailuo-table-go) {
  cursor: pointer;
}

.hailuo-table-sort:hover,
.hailuo-table tbody tr:hover {
  background: var(--jp-layout-color2);
}

.hailuo-table tbody tr.hailuo-mod-ticked {
  background: var(--jp-layout-color2);
}

.hailuo-table tr > :first-child {
  width: 16px;
  padding-inline: 10px 6px;
}

.hailuo-table tbody tr > :first-child {
  border-left: 3px solid var(--hailuo-tone, var(--jp-border-color1));
}

.hailuo-table tbody tr[data-tone='working'] {
  --hailuo-tone: #3b82f6;
}

.hailuo-table tbody tr[data-tone='waiting'] {
  --hailuo-tone: #b7791f;
}

.hailuo-table tbody tr[data-tone='done'] {
  --hailuo-tone: #2e9e4f;
}

.hailuo-table tbody tr[data-tone='broken'] {
  --hailuo-tone: #e5484d;
}

.hailuo-table input[type='checkbox'] {
  width: 16px;
  height: 16px;
  margin: 2px 0;
  vertical-align: middle;
  accent-color: var(--jp-brand-color1);
}

.hailuo-table-tick,
.hailuo-table input[type='checkbox'] {
  cursor: pointer;
}

.hailuo-table .hailuo-table-clip {
  width: 112px;
}

.hailuo-table-clip > * {
  display: block;
  width: 112px;
  height: 63px;
  border-radius: 4px;
  background: var(--jp-layout-color2);
  object-fit: contain;
}

.hailuo-table-run {
  min-width: 150px;
  overflow-wrap: anywhere;
}

.hailuo-table-title {
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 8px;
}

.hailuo-table-title > :first-child {
  font-weight: 600;
}

.hailuo-table-go {
  padding: 0;
  border: 0;
  background: none;
  color: inherit;
  font: inherit;
  line-height: 20px;
  text-align: start;
  overflow-wrap: anywhere;
  cursor: pointer;
}

.hailuo-table-go:hover {
  text-decoration: underline;
}

.hailuo-table-state,
.hailuo-table-faint {
  color: var(--jp-ui-font-color2);
}

.hailuo-table
  tr:is(:hover, .hailuo-mod-ticked)
  :is(.hailuo-table-state, .hailuo-table-faint) {
  color: var(--jp-ui-font-color1);
}

.hailuo-table-prompt {
  display: -webkit-box;
  overflow: hidden;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 2;
}

.hailuo-table-chips {
  display: flex;
  flex-wrap: wrap;
  gap: 3px 4px;
  margin-top: 3px;
}

.hailuo-table-chip {
  padding: 0 6px;
  border: 1px solid var(--jp-border-color1);
  border-radius: 9px;
}

.hailuo-table-chip.hailuo-mod-tag {
  border-color: transparent;
  background: var(--jp-layout-color2);
}

.hailuo-table-note {
  font-style: italic;
}

.hailuo-table :is(.hailuo-table-took, .hailuo-table-cost, .hailuo-table-when) {
  font-variant-numeric: tabular-nums;
}

.hailuo-table .hailuo-table-took {
  white-space: nowrap;
}

.hailuo-table .hailuo-table-cost {
  min-width: 74px;
}

.hailuo-table .hailuo-table-notebook {
  min-width: 80px;
  overflow-wrap: anywhere;
}

.hailuo-table .hailuo-stars {
  line-height: 20px;
}

.hailuo-table :is(button, input, video, [tabindex]):focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}

/* In a narrow output the rest of a row is a line below. */
@container hailuo (width < 640px) {
  .hailuo-table tr {
    display: flex;
    flex-wrap: wrap;
    align-items: flex-start;
    border-bottom: 1px solid var(--jp-border-color2);
  }

  .hailuo-table tr > * {
    min-width: 0 !important;
    border-bottom: 0;
  }

  .hailuo-table thead tr {
    align-items: center;
  }

  .hailuo-table thead th {
    padding-inline: 6px 0;
  }

  /* Nothing is sorted by it. */
  .hailuo-table thead th:nth-child(2) {
    position: absolute;
    clip-path: inset(50%);
  }

  .hailuo-table tbody tr > .hailuo-table-run {
    flex: 1 0 calc(100% - 185px);
  }

  .hailuo-table tbody tr > .hailuo-table-run ~ td {
    padding-block: 0 6px;
    line-height: 20px;
  }

  .hailuo-table tbody tr > .hailuo-table-rating {
    margin-left: 24px;
  }

  .hailuo-table tbody tr > .hailuo-table-rating:empty {
    display: none;
  }

  .hailuo-table tbody tr > :first-child {
    border-left: 0;
  }

  .hailuo-table tbody tr {
    border-left: 3px solid var(--hailuo-tone, var(--jp-border-color1));
  }
}
`,""]),a.d(i,{},{A:l})},32(o){o.exports=function(o){var i=[];return i.toString=function(){return this.map(function(i){var a="",t=void 0!==i[5];return i[4]&&(a+="@supports (".concat(i[4],") {")),i[2]&&(a+="@media ".concat(i[2]," {")),t&&(a+="@layer".concat(i[5].length>0?" ".concat(i[5]):""," {")),a+=o(i),t&&(a+="}"),i[2]&&(a+="}"),i[4]&&(a+="}"),a}).join("")},i.i=function(o,a,t,e,r){"string"==typeof o&&(o=[[null,o,void 0]]);var l={};if(t)for(var n=0;n<this.length;n++){var u=this[n][0];null!=u&&(l[u]=!0)}for(var p=0;p<o.length;p++){var h=[].concat(o[p]);t&&l[h[0]]||(void 0!==r&&(void 0===h[5]||(h[1]="@layer".concat(h[5].length>0?" ".concat(h[5]):""," {").concat(h[1],"}")),h[5]=r),a&&(h[2]&&(h[1]="@media ".concat(h[2]," {").concat(h[1],"}")),h[2]=a),e&&(h[4]?(h[1]="@supports (".concat(h[4],") {").concat(h[1],"}"),h[4]=e):h[4]="".concat(e)),i.push(h))}},i}},31(o){o.exports=function(o){return o[1]}},24(o){var i=[];function a(o){for(var a=-1,t=0;t<i.length;t++)if(i[t].identifier===o){a=t;break}return a}function t(o,t){for(var e={},r=[],l=0;l<o.length;l++){var n=o[l],u=t.base?n[0]+t.base:n[0],p=e[u]||0,h="".concat(u," ").concat(p);e[u]=p+1;var s=a(h),d={css:n[1],media:n[2],sourceMap:n[3],supports:n[4],layer:n[5]};if(-1!==s)i[s].references++,i[s].updater(d);else{var c=function(o,i){var a=i.domAPI(i);return a.update(o),function(i){i?(i.css!==o.css||i.media!==o.media||i.sourceMap!==o.sourceMap||i.supports!==o.supports||i.layer!==o.layer)&&a.update(o=i):a.remove()}}(d,t);t.byIndex=l,i.splice(l,0,{identifier:h,updater:c,references:1})}r.push(h)}return r}o.exports=function(o,e){var r=t(o=o||[],e=e||{});return function(o){o=o||[];for(var l=0;l<r.length;l++){var n=a(r[l]);i[n].references--}for(var u=t(o,e),p=0;p<r.length;p++){var h=a(r[p]);0===i[h].references&&(i[h].updater(),i.splice(h,1))}r=u}}},26(o){var i={};o.exports=function(o,a){var t=function(o){if(void 0===i[o]){var a=document.querySelector(o);if(window.HTMLIFrameElement&&a instanceof window.HTMLIFrameElement)try{a=a.contentDocument.head}catch(o){a=null}i[o]=a}return i[o]}(o);if(!t)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");t.appendChild(a)}},28(o){o.exports=function(o){var i=document.createElement("style");return o.setAttributes(i,o.attributes),o.insert(i,o.options),i}},27(o,i,a){o.exports=function(o){var i=a.nc;i&&o.setAttribute("nonce",i)}},25(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var i=o.insertStyleElement(o);return{update:function(a){var t,e,r;t="",a.supports&&(t+="@supports (".concat(a.supports,") {")),a.media&&(t+="@media ".concat(a.media," {")),(e=void 0!==a.layer)&&(t+="@layer".concat(a.layer.length>0?" ".concat(a.layer):""," {")),t+=a.css,e&&(t+="}"),a.media&&(t+="}"),a.supports&&(t+="}"),(r=a.sourceMap)&&"u">typeof btoa&&(t+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(r))))," */")),o.styleTagTransform(t,i,o.options)},remove:function(){var o;null===(o=i).parentNode||o.parentNode.removeChild(o)}}}},29(o){o.exports=function(o,i){if(i.styleSheet)i.styleSheet.cssText=o;else{for(;i.firstChild;)i.removeChild(i.firstChild);i.appendChild(document.createTextNode(o))}}},23(o,i,a){var t=a(24),e=a.n(t),r=a(25),l=a.n(r),n=a(26),u=a.n(n),p=a(27),h=a.n(p),s=a(28),d=a.n(s),c=a(29),b=a.n(c),f=a(30),x={};x.styleTagTransform=b(),x.setAttributes=h(),x.insert=u().bind(null,"head"),x.domAPI=l(),x.insertStyleElement=d(),e()(f.A,x),f.A&&f.A.locals&&f.A.locals;var m=a(33),g={};g.styleTagTransform=b(),g.setAttributes=h(),g.insert=u().bind(null,"head"),g.domAPI=l(),g.insertStyleElement=d(),e()(m.A,g),m.A&&m.A.locals&&m.A.locals;var v=a(34),w={};w.styleTagTransform=b(),w.setAttributes=h(),w.insert=u().bind(null,"head"),w.domAPI=l(),w.insertStyleElement=d(),e()(v.A,w),v.A&&v.A.locals&&v.A.locals;var y=a(35),j={};j.styleTagTransform=b(),j.setAttributes=h(),j.insert=u().bind(null,"head"),j.domAPI=l(),j.insertStyleElement=d(),e()(y.A,j),y.A&&y.A.locals&&y.A.locals}}]);
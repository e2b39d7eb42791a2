"use strict";(self.rspackChunkhailuo_jupyter=self.rspackChunkhailuo_jupyter||[]).push([[1],{24(o,r,i){var e=i(25),a=i.n(e),t=i(26),n=(i.n(t))()(a());n.push([o.id,`/* The live card takes its twin's place while it lives. */
.hailuo-output.hailuo-mod-live > .hailuo-twin,
.hailuo-output:not(.hailuo-mod-live) > .hailuo-card {
  display: none;
}

/* What is wide in it scrolls by itself; an output that is a pixel too high would be a stop for nobody. */
.hailuo-output.jp-OutputArea-output {
  position: relative;
  overflow: visible;
}

.hailuo-output > .hailuo-twin.jp-RenderedHTMLCommon {
  padding-right: 0;
}

.hailuo-said {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

/* ipywidgets has every box scroll; a card that is a pixel too high would be a stop for nobody. */
.hailuo-card .widget-box:has(> .hailuo-head) {
  overflow: visible;
}

/* Room for a run whose turn to be drawn has not come. */
.hailuo-output.hailuo-mod-waiting:not(.hailuo-mod-live) {
  min-height: 12em;
}

.hailuo-actions {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 6px;
  margin-top: 8px;
}

.hailuo-actions button {
  padding: 3px 10px;
  border: 1px solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 18px;
  cursor: pointer;
}

.hailuo-actions button:hover {
  background: var(--jp-layout-color2);
}

.hailuo-actions button:focus-visible,
.hailuo-twin summary:focus-visible,
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

.hailuo-stars-group > :first-child {
  font-size: var(--jp-ui-font-size1);
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

.hailuo-stars input {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  margin: 0;
  opacity: 0;
  cursor: pointer;
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

.hailuo-bar button:hover {
  background: var(--jp-layout-color2);
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

.hailuo-compare video,
.hailuo-grid video {
  cursor: pointer;
}

.hailuo-grid video:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 1px;
}
`,""]),i.d(r,{},{A:n})},27(o,r,i){var e=i(25),a=i.n(e),t=i(26),n=(i.n(t))()(a());n.push([o.id,`/* The side panel with a notebook's runs. */
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
  border-top: 1px solid var(--jp-border-color2);
  content-visibility: auto;
  contain-intrinsic-size: auto 96px;
}

.hailuo-run-open {
  display: flex;
  flex: 1 1 auto;
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

.hailuo-run-open:hover,
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

/* Nothing to be seen yet: a quiet ground. */
.hailuo-run-poster.hailuo-mod-empty {
  box-sizing: border-box;
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

.hailuo-runs :is(button, input, select):focus-visible {
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
`,""]),i.d(r,{},{A:n})},26(o){o.exports=function(o){var r=[];return r.toString=function(){return this.map(function(r){var i="",e=void 0!==r[5];return r[4]&&(i+="@supports (".concat(r[4],") {")),r[2]&&(i+="@media ".concat(r[2]," {")),e&&(i+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),i+=o(r),e&&(i+="}"),r[2]&&(i+="}"),r[4]&&(i+="}"),i}).join("")},r.i=function(o,i,e,a,t){"string"==typeof o&&(o=[[null,o,void 0]]);var n={};if(e)for(var l=0;l<this.length;l++){var u=this[l][0];null!=u&&(n[u]=!0)}for(var p=0;p<o.length;p++){var s=[].concat(o[p]);e&&n[s[0]]||(void 0!==t&&(void 0===s[5]||(s[1]="@layer".concat(s[5].length>0?" ".concat(s[5]):""," {").concat(s[1],"}")),s[5]=t),i&&(s[2]&&(s[1]="@media ".concat(s[2]," {").concat(s[1],"}")),s[2]=i),a&&(s[4]?(s[1]="@supports (".concat(s[4],") {").concat(s[1],"}"),s[4]=a):s[4]="".concat(a)),r.push(s))}},r}},25(o){o.exports=function(o){return o[1]}},18(o){var r=[];function i(o){for(var i=-1,e=0;e<r.length;e++)if(r[e].identifier===o){i=e;break}return i}function e(o,e){for(var a={},t=[],n=0;n<o.length;n++){var l=o[n],u=e.base?l[0]+e.base:l[0],p=a[u]||0,s="".concat(u," ").concat(p);a[u]=p+1;var d=i(s),h={css:l[1],media:l[2],sourceMap:l[3],supports:l[4],layer:l[5]};if(-1!==d)r[d].references++,r[d].updater(h);else{var c=function(o,r){var i=r.domAPI(r);return i.update(o),function(r){r?(r.css!==o.css||r.media!==o.media||r.sourceMap!==o.sourceMap||r.supports!==o.supports||r.layer!==o.layer)&&i.update(o=r):i.remove()}}(h,e);e.byIndex=n,r.splice(n,0,{identifier:s,updater:c,references:1})}t.push(s)}return t}o.exports=function(o,a){var t=e(o=o||[],a=a||{});return function(o){o=o||[];for(var n=0;n<t.length;n++){var l=i(t[n]);r[l].references--}for(var u=e(o,a),p=0;p<t.length;p++){var s=i(t[p]);0===r[s].references&&(r[s].updater(),r.splice(s,1))}t=u}}},20(o){var r={};o.exports=function(o,i){var e=function(o){if(void 0===r[o]){var i=document.querySelector(o);if(window.HTMLIFrameElement&&i instanceof window.HTMLIFrameElement)try{i=i.contentDocument.head}catch(o){i=null}r[o]=i}return r[o]}(o);if(!e)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");e.appendChild(i)}},22(o){o.exports=function(o){var r=document.createElement("style");return o.setAttributes(r,o.attributes),o.insert(r,o.options),r}},21(o,r,i){o.exports=function(o){var r=i.nc;r&&o.setAttribute("nonce",r)}},19(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=o.insertStyleElement(o);return{update:function(i){var e,a,t;e="",i.supports&&(e+="@supports (".concat(i.supports,") {")),i.media&&(e+="@media ".concat(i.media," {")),(a=void 0!==i.layer)&&(e+="@layer".concat(i.layer.length>0?" ".concat(i.layer):""," {")),e+=i.css,a&&(e+="}"),i.media&&(e+="}"),i.supports&&(e+="}"),(t=i.sourceMap)&&"u">typeof btoa&&(e+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(t))))," */")),o.styleTagTransform(e,r,o.options)},remove:function(){var o;null===(o=r).parentNode||o.parentNode.removeChild(o)}}}},23(o){o.exports=function(o,r){if(r.styleSheet)r.styleSheet.cssText=o;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(o))}}},17(o,r,i){var e=i(18),a=i.n(e),t=i(19),n=i.n(t),l=i(20),u=i.n(l),p=i(21),s=i.n(p),d=i(22),h=i.n(d),c=i(23),f=i.n(c),x=i(24),b={};b.styleTagTransform=f(),b.setAttributes=s(),b.insert=u().bind(null,"head"),b.domAPI=n(),b.insertStyleElement=h(),a()(x.A,b),x.A&&x.A.locals&&x.A.locals;var v=i(27),g={};g.styleTagTransform=f(),g.setAttributes=s(),g.insert=u().bind(null,"head"),g.domAPI=n(),g.insertStyleElement=h(),a()(v.A,g),v.A&&v.A.locals&&v.A.locals}}]);
// Draws every element with data-chart: the address of a JSON document
// {"times": [text], "series": [{"name": text, "color": CSS variable, "values": [number]}]}.
//
// On canvas, tooltip included: the pages' security policy allows no style written as text.

import { BarChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

use([AriaComponent, BarChart, CanvasRenderer, GridComponent, LegendComponent, TooltipComponent]);

const drawn = new Map();

// A canvas knows no CSS variables and no light-dark(): let the browser work the colour out.
function color(element, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  pixel.fillStyle = value;
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pixel.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function option(element, { times, series }) {
  const text = color(element, "--after-muted");
  const line = color(element, "--after-line");
  const strong = color(element, "--after-text");
  const font = { fontFamily: getComputedStyle(element).fontFamily, fontSize: 12 };
  return {
    animation: false,
    aria: { enabled: true },
    textStyle: { ...font, color: text },
    color: series.map((one) => color(element, one.color)),
    grid: { left: 4, right: 4, top: 40, bottom: 4, containLabel: true },
    legend: { left: 0, top: 0, icon: "roundRect", itemWidth: 12, itemHeight: 12, itemGap: 20, textStyle: { ...font, color: strong } },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      axisPointer: { type: "shadow", shadowStyle: { color: line, opacity: 0.35 } },
      backgroundColor: color(element, "--after-surface"),
      borderColor: line,
      textStyle: { ...font, color: strong },
    },
    xAxis: {
      type: "category",
      data: times,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: line } },
      axisLabel: { color: text, hideOverlap: true },
    },
    yAxis: {
      type: "value",
      minInterval: 1,
      splitLine: { lineStyle: { color: line } },
      axisLabel: { color: text },
    },
    series: series.map((one) => ({
      type: "bar",
      name: one.name,
      data: one.values,
      barMaxWidth: 22,
      barGap: "12%",
      itemStyle: { borderRadius: [2, 2, 0, 0] },
    })),
  };
}

async function draw(element) {
  if (drawn.has(element)) return;
  drawn.set(element, null);
  try {
    const answer = await fetch(element.dataset.chart, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.statusText);
    const data = await answer.json();
    const chart = init(element, null, { renderer: "canvas" });
    chart.setOption(option(element, data));
    drawn.set(element, { chart, data });
    new ResizeObserver(() => chart.resize()).observe(element);
  } catch {
    element.textContent = "The chart could not be loaded. Reload the page to try again.";
  }
}

function drawAll() {
  document.querySelectorAll("[data-chart]").forEach(draw);
}

document.addEventListener("aftersend:theme", () => {
  for (const [element, one] of drawn) if (one) one.chart.setOption(option(element, one.data));
});
document.addEventListener("htmx:after:swap", drawAll);
drawAll();

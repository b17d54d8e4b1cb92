/* Draws the charts of the report with uPlot from the data in the page. Colours come from the style sheet. */
"use strict";
const Charts = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const drawn = new Map();
  const DASHES = { p95: [8, 3], p99: [3, 3], max: [1, 4], asked: [7, 5], started: [2, 3], service: [6, 4],
    "part-1": [7, 3], "part-2": [2, 2], "part-3": [9, 3, 2, 3], "part-4": [4, 4], "part-5": [1, 3], "part-6": [12, 4], "part-7": [5, 2, 1, 2] };
  const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);
  const WIDTHS = { p50: 2.2, p99: 2, done: 2, latency: 2.2, service: 2, max: 1.2, started: 1.3 };
  const OUTCOMES = ["http_5xx", "timeout", "refused", "reset", "http_4xx", "quota", "wrong_state", "scenario", "tls", "protocol", "exhausted"];
  const OUTCOME_COLOURS = { dropped: "--max", cancelled: "--asked", http_5xx: "--p99", timeout: "--part-3", refused: "--part-6",
    reset: "--part-4", http_4xx: "--part-1", quota: "--part-2", wrong_state: "--part-0" };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const roleColour = (role) => role.startsWith("outcome-")
    ? colour(OUTCOME_COLOURS[role.slice(8)] || `--part-${OUTCOMES.indexOf(role.slice(8)) & 7}`) : colour(`--${role}`);
  const digits = (value) => value >= 99.95 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3));

  function seconds(value) {
    if (value === 0) return "0 s";
    if (value >= 99.95) return clock(value);
    const scale = value >= 0.9995 ? [1, "s"] : value >= 0.9995e-3 ? [1e3, "ms"] : [1e6, "µs"];
    return `${+(value * scale[0]).toPrecision(3)} ${scale[1]}`;
  }
  function clock(value) {
    const whole = Math.abs(Math.round(value)), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    const rest = String(whole % 60).padStart(2, "0");
    return (value < -0.5 ? "−" : "") + (hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`);
  }
  function bytes(value) {
    for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (value >= size) return `${digits(value / size)} ${unit}`;
    }
    return `${value} B`;
  }
  const WORDS = { "s": seconds, "/s": (value) => `${digits(value)}/s`, "count": digits, "bytes": bytes,
    "share": (value) => `${digits(value * 100)} %` };
  const words = (unit) => (value) => value == null ? "–" : WORDS[unit](value);

  /* Percentiles are drawn by how many nines they have: 90, 99, 99.9 stand at equal distances. */
  const nines = (percent) => -Math.log10(1 - percent / 100);
  const fromNines = (place) => +(100 * (1 - 10 ** -place)).toPrecision(6);

  function table(chart) {
    if (chart.series.some((series) => series.x)) {
      const x = chart.kind === "curve" ? (series) => series.x.map(nines) : (series) => series.x;
      return uPlot.join(chart.series.map((series) => [x(series), series.values]));
    }
    const count = Math.max(...chart.series.map((series) => series.values.length));
    const start = chart.start || 0, width = chart.width || 1;
    const at = chart.kind === "histogram" ? (place) => start * width ** place : (place) => start + width * (place + 0.5);
    return [Array.from({ length: count }, (_, place) => at(place)), ...chart.series.map((series) => series.values)];
  }

  /* Each series on top of those before it; returns what to draw and how to find the values again. */
  function stack(columns) {
    const [x, ...rest] = columns, total = new Array(x.length).fill(0);
    const known = x.map((_, place) => rest.some((values) => values[place] != null));
    const stacked = rest.map((values) => values.map((value, place) => known[place] ? (total[place] += value || 0) : null));
    return [x, ...stacked.reverse()];
  }

  function heat(chart) {
    const map = chart.heat;
    if (!map) return () => {};
    const most = Math.log1p(map.cells.reduce((highest, cell) => Math.max(highest, cell[2]), 1));
    return (plot) => {
      const context = plot.ctx, shade = colour("--heat");
      context.save();
      context.beginPath();
      context.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
      context.clip();
      for (const [column, row, count] of map.cells) {
        const left = plot.valToPos(map.start_s + column * map.width_s, "x", true);
        const right = plot.valToPos(map.start_s + (column + 1) * map.width_s, "x", true);
        const bottom = plot.valToPos(map.lowest_s * map.growth ** row, "y", true);
        const top = plot.valToPos(map.lowest_s * map.growth ** (row + 1), "y", true);
        context.fillStyle = `rgba(${shade}, ${(0.06 + 0.4 * Math.log1p(count) / most).toFixed(3)})`;
        context.fillRect(Math.round(left), Math.round(top), Math.round(right) - Math.round(left), Math.round(bottom) - Math.round(top));
      }
      context.restore();
    };
  }

  const bands = (named) => (plot) => {
    const context = plot.ctx, ratio = devicePixelRatio, { left, top, width, height } = plot.bbox;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    data.disruptions.forEach(([start, finish, name], place) => {
      const from = plot.valToPos(start, "x", true), to = Math.max(plot.valToPos(finish, "x", true), from + 2 * ratio);
      context.fillStyle = colour("--band");
      context.fillRect(from, top, to - from, height);
      context.fillStyle = colour("--soft");
      if (named) context.fillText(name, from + 4 * ratio, top + (12 + 13 * (place % 3)) * ratio);
    });
    const end = plot.valToPos(data.load_end_s, "x", true);
    context.strokeStyle = colour("--faint");
    context.setLineDash([2 * ratio, 4 * ratio]);
    context.beginPath();
    context.moveTo(end, top);
    context.lineTo(end, top + height);
    context.stroke();
    context.restore();
  };

  /* What begins when, above what is drawn; a name that finds no room stands one line lower. */
  const begins = (marks) => (plot) => {
    const context = plot.ctx, ratio = devicePixelRatio, { left: first, top, width, height } = plot.bbox;
    context.save();
    context.beginPath();
    context.rect(first, top, width, height);
    context.clip();
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.strokeStyle = context.fillStyle = colour("--soft");
    context.setLineDash([2 * ratio, 4 * ratio]);
    let row = 0, free = -Infinity;
    for (const [start, name] of marks) {
      const at = plot.valToPos(start, "x", true), long = context.measureText(name).width + 8 * ratio;
      context.beginPath();
      context.moveTo(at, top);
      context.lineTo(at, top + height);
      context.stroke();
      const right = Math.max(at, first) + 4 * ratio, left = right + long <= first + width ? right : at - long;
      row = left < free ? row + 1 : 0;
      free = left + long;
      context.fillText(name, left, top + (11 + 13 * row) * ratio);
    }
    context.restore();
  };

  function axis(values, extra) {
    return { stroke: colour("--soft"), filter: (plot, splits) => splits, grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), size: 4 },
      font: "12px system-ui, sans-serif", size: 30, values: (plot, splits) => splits.map((split) => split == null ? "" : values(split)), ...extra };
  }

  function lines(chart, form) {
    return chart.series.map(({ label, role }) => {
      const stroke = roleColour(role), filled = role === "done";
      return { label, stroke, width: WIDTHS[role] || 1.6, dash: DASHES[role], points: { show: false }, value: (plot, value) => form(value),
        fill: filled ? `color-mix(in srgb, ${stroke} 12%, transparent)` : undefined };
    });
  }

  function stackedSeries(chart, form, columns) {
    const paths = chart.kind === "bars" ? uPlot.paths.bars({ size: [0.9, 40], gap: 0 }) : undefined;
    return chart.series.map(({ label, role }, place) => {
      const stroke = roleColour(role), values = columns[place + 1];
      return { label, stroke, width: chart.kind === "bars" ? 0 : 1.2, points: { show: false }, paths,
        fill: chart.kind === "bars" ? stroke : `color-mix(in srgb, ${stroke} 55%, ${colour("--paper")})`,
        value: (plot, value, series, at) => form(at == null ? null : values[at]) };
    }).reverse();
  }

  function logSplits(low, high) {
    const splits = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1e-9; power++) {
      for (const step of Math.log10(high / low) > 2.5 ? [1] : Math.log10(high / low) > 1 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7]) splits.push(+(step * 10 ** power).toPrecision(3));
    }
    return splits.filter((split) => split >= low * 0.999 && split <= high * 1.001);
  }

  function logRange(plot, low, high, chart) {
    const lowest = chart.heat ? Math.min(chart.heat.lowest_s, low || Infinity) : low, widest = 1.08;
    if (!(lowest > 0)) return [1e-3, 1];
    return [lowest / widest, Math.max(high, lowest * 1.5) * widest];
  }

  /* Places on a logarithmic axis that have room for their words. */
  function apart(places, width) {
    const room = Math.log(places[places.length - 1] / places[0]) * 44 / Math.max(1, width - 120), chosen = [];
    for (const place of places) if (!chosen.length || Math.log(place / chosen[chosen.length - 1]) >= room) chosen.push(place);
    return chosen;
  }

  function options(chart, element) {
    const form = words(chart.unit), time = chart.kind === "time" || chart.kind === "bars" || chart.kind === "areas";
    const columns = table(chart), isStack = chart.kind === "bars" || chart.kind === "areas";
    const series = isStack ? stackedSeries(chart, form, columns) : lines(chart, form);
    const scales = { x: { time: false }, y: chart.log
      ? { distr: 3, range: (plot, low, high) => logRange(plot, low, high, chart) }
      : { range: (plot, low, high) => [0, (high || 1) * (chart.marks ? 1.3 : 1.06)] } };
    let xAxis = axis(clock, { incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400] });
    let xValue = (plot, value) => value == null ? "–" : clock(value);
    if (chart.kind === "histogram") {
      scales.x = { time: false, distr: 3, range: (plot, low, high) => [chart.start, high * chart.width] };
      xAxis = axis(seconds, { splits: (plot, place, low, high) => logSplits(low, high) });
      xValue = (plot, value) => value == null ? "–" : seconds(value);
      series[0].paths = uPlot.paths.bars({ size: [1, 60], gap: 1, align: 1 });
      Object.assign(series[0], { fill: `color-mix(in srgb, ${series[0].stroke} 45%, transparent)`, width: 0 });
      series[1].paths = uPlot.paths.stepped({ align: 1 });
    } else if (chart.kind === "cumulative") {
      scales.x = { time: false, distr: 3, range: (plot, low, high) => logRange(plot, low, high, chart) };
      scales.y = { range: () => [0, 1.02] };
      xAxis = axis(seconds, { splits: (plot, place, low, high) => logSplits(low, high) });
      xValue = (plot, value) => value == null ? "–" : seconds(value);
      for (const one of series) Object.assign(one, { paths: uPlot.paths.stepped({ align: 1 }), spanGaps: true });
    } else if (chart.kind === "sweep") {
      const at = words(chart.x_unit), places = columns[0];
      scales.x = { time: false, ...(chart.x_log ? { distr: 3, range: (plot, low, high) => [low / 1.15, high * 1.15] }
        : { range: (plot, low, high) => [low - ((high - low) * 0.03 || 1), high + ((high - low) * 0.03 || 1)] }) };
      xAxis = axis(at, { label: chart.x_label, labelSize: 18, labelFont: "12px system-ui, sans-serif", size: 26,
        ...(chart.x_log ? { splits: () => apart(places, element.clientWidth || 600) } : {}) });
      xValue = (plot, value) => value == null ? "–" : at(value);
      for (const one of series) one.points = { show: true, size: 6, stroke: one.stroke, fill: one.stroke };
    } else if (chart.kind === "curve") {
      const most = columns[0][columns[0].length - 1];
      const splits = [0, 0.30103, 1, 2, 3, 4, 5].filter((split) => split <= most + 1e-9);
      scales.x = { time: false, range: () => [0, most] };
      xAxis = axis((split) => `p${fromNines(split)}`, { splits: () => splits });
      xValue = (plot, value) => value == null ? "–" : `p${fromNines(value)}`;
    }
    const yAxis = axis(form, { size: 66, ...(chart.unit === "bytes" ? { incrs: BINARY } : {}), ...(chart.log ? { splits: (plot, place, low, high) => logSplits(low, high) } : {}) });
    return {
      options: {
        width: element.clientWidth || 600, height: chart.tall ? 290 : 190, series: [{ label: chart.kind === "curve" ? "percentile" : chart.kind === "histogram" ? "from" : chart.kind === "cumulative" ? "at most" : chart.kind === "sweep" ? chart.x_label : "at", value: xValue }, ...series],
        scales, axes: [xAxis, yAxis], padding: [10, 14, 0, 0],
        ...(chart.kind === "sweep" ? { height: 230 } : {}), cursor: { sync: time ? { key: "time", setSeries: false } : undefined, points: { size: 6 }, drag: { x: time, y: false }, focus: { prox: 24 } },
        hooks: { drawClear: [heat(chart), ...(time ? [bands(chart.tall)] : [])], draw: chart.marks ? [begins(chart.marks)] : [], setScale: time ? [follow] : [] }, legend: { live: true, markers: { width: 3, dash: (plot, place) => !plot.series[place].dash ? "solid" : plot.series[place].dash[0] < 4 ? "dotted" : "dashed" } },
      },
      columns: isStack ? stack(columns) : columns,
    };
  }

  /* Zooming into one chart over time zooms into all of them; a double click shows everything again. */
  let following = false;
  function follow(plot, key) {
    if (key !== "x" || following || !plot.ready) return;
    following = true;
    const { min, max } = plot.scales.x, whole = plot.data[0];
    const reset = min <= whole[0] && max >= whole[whole.length - 1];
    for (const other of drawn.values()) {
      if (other === plot || !other.isTime) continue;
      const xs = other.data[0];
      other.setScale("x", reset ? { min: xs[0], max: xs[xs.length - 1] } : { min, max });
    }
    following = false;
  }

  function draw(chart) {
    const element = document.getElementById(chart.id);
    drawn.get(chart.id)?.destroy();
    const { options: chosen, columns } = options(chart, element);
    if (columns[0].length === 0) return;
    const plot = new uPlot(chosen, columns, element);
    plot.isTime = chosen.hooks.setScale.length > 0;
    plot.ready = true;
    drawn.set(chart.id, plot);
    element.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const xs = plot.data[0], place = Math.min(xs.length - 1, Math.max(0, (plot.cursor.idx ?? -1) + step));
      plot.setCursor({ left: plot.valToPos(xs[place], "x"), top: plot.over.clientHeight / 2 });
    };
  }

  return {
    draw: () => data.charts.forEach(draw),
    resize: (width) => {
      for (const [name, plot] of drawn) {
        const wanted = width ? width(document.getElementById(name)) : document.getElementById(name).clientWidth;
        if (wanted > 0 && Math.abs(wanted - plot.width) > 1) plot.setSize({ width: wanted, height: plot.height });
      }
    },
  };
})();

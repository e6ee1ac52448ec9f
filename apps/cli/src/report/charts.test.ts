import { describe, expect, test } from "vitest";
import { roundTicks, shortNumber } from "./axis.js";
import { lineChart } from "./line-chart.js";
import { html } from "./markup.js";
import { smoothPoints, thinPoints } from "./thin-points.js";

describe("html", () => {
  test("escapes what is put in, in texts and in attributes, and joins lists", () => {
    const inner = html`<b>${"<script>"}</b>`;
    expect(html`<p title="${`"a" & 'b'`}">${[inner, " ", 3]}${undefined}${false}</p>`.text).toBe(
      '<p title="&quot;a&quot; &amp; &#39;b&#39;"><b>&lt;script&gt;</b> 3</p>',
    );
  });
});

describe("axes", () => {
  test("have round numbers between two values", () => {
    expect(roundTicks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(roundTicks(-3, 17, 4)).toEqual([0, 5, 10, 15]);
    expect(roundTicks(0.00012, 0.00031, 4)).toEqual([0.00015, 0.0002, 0.00025, 0.0003]);
    expect(roundTicks(7, 7)).toEqual([7]);
  });
  test.each([
    [0, "0"],
    [0.25, "0.25"],
    [-1.23456, "-1.235"],
    [12_345, "12.35k"],
    [2_500_000, "2.5M"],
    [1.5e-7, "1.5e-7"],
    [2e-4, "2e-4"],
  ])("write %s as %s", (value, text) => {
    expect(shortNumber(value)).toBe(text);
  });
});

describe("points", () => {
  const ten = Array.from({ length: 10 }, (_, i) => ({ x: i, y: i * i }));
  test("are kept when they are few, else means of neighbours and the last one", () => {
    expect(thinPoints(ten, 10)).toEqual(ten);
    expect(thinPoints(ten, 4)).toEqual([
      { x: 1, y: (0 + 1 + 4) / 3 },
      { x: 4, y: (9 + 16 + 25) / 3 },
      { x: 7, y: (36 + 49 + 64) / 3 },
      { x: 9, y: 81 },
    ]);
  });
  test("are smoothed by an average that begins at the first and forgets", () => {
    const smooth = smoothPoints(
      [4, 4, 1].map((y, x) => ({ x, y })),
      3,
    );
    expect(smooth.map(({ y }) => y)).toEqual([4, 4, expect.closeTo((4 + 2 * 4 + 4 * 1) / 7, 12)]);
  });
});

describe("a chart", () => {
  const points = [0, 1, 2, 3].map((x) => ({ x: x + 1, y: 10 - x }));
  const draw = (style: "line" | "stairs" | "dots", values = points) =>
    lineChart({ title: "L & M", series: [{ name: "a", tone: 1, points: values, style }], range: [1, 4] }).text;

  // Values 7 to 10 on 160 units with 4 % of room at both ends: 8 + 160 (10.12 - y) / 3.24.
  test("goes from corner to corner, the first step at the left and the last at the right", () => {
    expect(draw("line")).toContain('data-points="4" d="M52 13.93L214 63.31');
    expect(/L538 (\S+)"/.exec(draw("line"))![1]).toBe("162.07");
    expect(draw("line")).toContain("<b>L &amp; M</b>");
  });
  test("answers with the values of a step", () => {
    expect(draw("dots")).toContain("<title>step 2: a 9</title>");
    expect(draw("dots").match(/<circle/g)).toHaveLength(4);
  });
  test("holds values on stairs", () => {
    const stairs = draw(
      "stairs",
      [3, 3, 2, 2].map((y, i) => ({ x: i + 1, y })),
    );
    expect(stairs).toContain('data-points="4" d="M52 13.93L376 13.93L376 162.07L538 162.07"');
  });
  test("draws a single value as a dot, and equal values in the middle", () => {
    expect(draw("line", [{ x: 4, y: 5 }])).toContain('cx="538" cy="88"');
  });
});

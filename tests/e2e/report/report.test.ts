import { statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanUp, type Ended, readLines, readSummary, runLockstep, temporaryFolder } from "../lockstep-process.js";
import { type BrowserPage, findChromium, openPage } from "./browser-page.js";

const chromium = findChromium();

interface Curve {
  readonly series: string;
  readonly numPoints: number;
  readonly length: number;
}

/** Curves as the browser drew them, each with the length of its line on the page. */
const curvesOf = `[...document.querySelectorAll("path.curve")].map((path) => ({
  series: path.closest("figure").querySelector("b").textContent + "/" + path.dataset.series,
  numPoints: Number(path.dataset.points), length: path.getTotalLength() }))`;
/** The whole text of what matches, blanks as one. */
const textOf = (selector: string) =>
  `[...document.querySelectorAll(${JSON.stringify(selector)})].map((node) => node.innerText.replace(/\\s+/g, " ").trim())`;

describe("the report of a run with metrics", () => {
  let folder = "";
  let out = "";
  let written: Ended;
  let page: BrowserPage | undefined;

  beforeAll(async () => {
    folder = temporaryFolder();
    out = join(folder, "run");
    const trained = await runLockstep(["run", "tests/e2e/metrics", "--seed", "7", "--workers", "2", "--out", out]);
    expect(`${trained.status} ${trained.stderr}`).toBe("0 ");
    written = await runLockstep(["report", out]);
    if (chromium !== undefined) page = await openPage(chromium, pathToFileURL(join(out, "report.html")).href);
  }, 120_000);
  afterAll(async () => {
    await page?.close();
    await cleanUp();
  });

  test("is one file that says where it is", () => {
    expect(`${written.status} ${written.stderr}`).toBe("0 ");
    expect(written.stdout).toContain("report.html");
    expect(statSync(join(out, "report.html")).size).toBeGreaterThan(20_000);
  });

  test.skipIf(chromium === undefined)(
    "shows all curves in a browser, which asks for nothing else and complains of nothing",
    async () => {
      expect(page!.requests).toEqual([pathToFileURL(join(out, "report.html")).href]);
      expect(page!.complaints).toEqual([]);
      const curves = await page!.read<Curve[]>(curvesOf);
      const points = Object.fromEntries(curves.map(({ series, numPoints }) => [series, numPoints]));
      expect(points).toMatchObject({
        "Loss/training": 6,
        "Loss/held out": 3,
        "accuracy/held out": 3,
        "auc/held out": 3,
        "Learning rate/learning rate": 6,
        "Gradient norm/norm before clipping": 6,
        "Throughput/samples/s": 6,
        "Time of a step/step": 6,
        "Time of a step/compute": 6,
        "Time of a step/exchange": 6,
      });
      for (const { series, length } of curves) expect(length, series).toBeGreaterThan(100);
      expect(await page!.read("document.querySelectorAll('rect.stay').length")).toBe(2);
    },
  );

  test.skipIf(chromium === undefined)("shows the figures of the summary and each event with its reason", async () => {
    const { trainLoss, evalLoss } = readSummary(out);
    const tiles = await page!.read<string[]>(textOf(".tiles div"));
    expect(tiles).toContain("status completed");
    expect(tiles).toContain(`training loss ${trainLoss.toFixed(4)}`);
    expect(tiles).toContain(`held-out loss ${evalLoss.toFixed(4)}`);
    const rows = await page!.read<string[]>(textOf(".events tbody td:last-child"));
    const events = readLines(out, "events.jsonl").filter(({ type }) => type !== "commit");
    expect(rows).toEqual(events.map(({ reason }) => reason));
  });

  test.skipIf(chromium === undefined)("has light and dark colours", async () => {
    const colourOf = async (value: string) => {
      await page!.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
      return page!.read("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]");
    };
    expect(await colourOf("light")).toEqual(["rgb(247, 247, 245)", "rgb(28, 29, 32)"]);
    expect(await colourOf("dark")).toEqual(["rgb(19, 20, 23)", "rgb(230, 231, 234)"]);
  });
});

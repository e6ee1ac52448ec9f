import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findChromium } from "../../../tools/gpu/find-chromium.mjs";
import { type BrowserPage, openPage } from "../browser-page.js";
import { cleanUp, type Ended, readLines, readSummary, runLockstep, temporaryFolder } from "../lockstep-process.js";

const chromium = findChromium();
const noBrowser = "there is no chromium on this machine: apt-get install chromium";

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

  test("shows all curves in a browser, which asks for nothing else and complains of nothing", async ({ skip }) => {
    skip(chromium === undefined, noBrowser);
    expect(page!.requests.filter((address) => !address.startsWith("data:"))).toEqual([
      pathToFileURL(join(out, "report.html")).href,
    ]);
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
  });

  test("shows the figures of the summary and each event with its reason", async ({ skip }) => {
    skip(chromium === undefined, noBrowser);
    const { trainLoss, evalLoss } = readSummary(out);
    const tiles = await page!.read<string[]>(textOf(".tiles div"));
    expect(tiles).toContain("status completed");
    expect(tiles).toContain(`training loss ${trainLoss.toFixed(4)}`);
    expect(tiles).toContain(`held-out loss ${evalLoss.toFixed(4)}`);
    const rows = await page!.read<string[]>(textOf(".events tbody td:last-child"));
    const events = readLines(out, "events.jsonl").filter(({ type }) => type !== "commit");
    expect(rows).toEqual(events.map(({ reason }) => reason));
  });

  test("has light and dark colours", async ({ skip }) => {
    skip(chromium === undefined, noBrowser);
    const colourOf = async (value: string) => {
      await page!.call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value }] });
      return page!.read("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]");
    };
    expect(await colourOf("light")).toEqual(["rgb(247, 247, 245)", "rgb(28, 29, 32)"]);
    expect(await colourOf("dark")).toEqual(["rgb(19, 20, 23)", "rgb(230, 231, 234)"]);
  });
});

/** Trains a job and opens its report. */
async function reportOf(
  job: string,
  ...flags: readonly string[]
): Promise<{ out: string; page: BrowserPage | undefined }> {
  const out = join(temporaryFolder(), "run");
  const trained = await runLockstep(["run", job, "--seed", "1", "--out", out]);
  expect(`${trained.status} ${trained.stderr}`).toBe("0 ");
  const written = await runLockstep(["report", out, ...flags]);
  expect(`${written.status} ${written.stderr}`).toBe("0 ");
  const page = chromium && (await openPage(chromium, pathToFileURL(join(out, "report.html")).href));
  return { out, page: page || undefined };
}

describe("what a job shows of its model", () => {
  let page: BrowserPage | undefined;
  afterEach(async () => {
    await page?.close();
    page = undefined;
    await cleanUp();
  });

  test("images: the confusion matrix, the mistake first, and where the evidence is", async ({ skip }) => {
    const found = await reportOf("tests/e2e/report/corners-job.ts", "--samples", "3");
    page = found.page;
    skip(page === undefined, noBrowser);
    expect(page!.complaints).toEqual([]);
    const cells = await page!.read<string[]>(textOf(".confusion td"));
    const counts = cells.map((cell) => (cell === "\u00b7" ? 0 : Number(cell)));
    // Corners of the ten images: 0 3 2 1 0 3 2 1 0 3, the fifth of them blank.
    expect([0, 5, 10, 15].map((i) => counts[i])).toEqual([2, 2, 2, 3]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10);
    expect((await page!.read<string[]>(textOf(".sample .verdict")))[0]).toMatch(/is 0 .*sample 4$/);
    const pictures = `[...document.querySelectorAll(".sample:nth-child(2) img")].map((image) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 6;
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const pixels = context.getImageData(0, 0, 6, 6).data;
      return [...Array(36).keys()].filter((i) => Math.abs(pixels[4 * i] - pixels[4 * i + 1]) > 60 || pixels[4 * i + 1] === 255);
    })`;
    const corner = [0, 1, 2, 6, 7, 8, 12, 13, 14];
    expect(await page!.read(pictures)).toEqual([corner, corner, corner]);
  }, 60_000);

  test("tokens: their texts, escaped, coloured by what they add, and a map a head", async ({ skip }) => {
    const found = await reportOf("tests/e2e/report/words-job.ts");
    page = found.page;
    skip(page === undefined, noBrowser);
    expect(page!.complaints).toEqual([]);
    const lines = await page!.read<string[]>(textOf(".tokens"));
    expect(lines).toHaveLength(24);
    expect(lines).toContainEqual(expect.stringMatching(/^integrated the ?film ?was ?<bad>$/));
    const maps = await page!.read<number[][]>(
      `[...document.querySelectorAll(".attention img")].map((image) => [image.naturalWidth, image.naturalHeight])`,
    );
    expect(maps).toEqual(Array.from({ length: 24 }, () => [4, 4]));
    const sums = (await page!.read<string[]>(textOf(".sample > .note"))).map((text) => /(\S+) of (\S+)$/.exec(text)!);
    for (const [text, sum, wanted] of sums) {
      expect(Math.abs(Number(sum) - Number(wanted)), text).toBeLessThan(0.05 * Math.abs(Number(wanted)) + 0.01);
    }
  }, 60_000);

  test("a run without a checkpoint has curves only, and one whose job does not load says so and ends with 1", async () => {
    const found = await reportOf("tests/e2e/report/corners-job.ts");
    page = found.page; // closed after the test
    const { out } = found;
    const report = join(out, "report.html");
    expect(readFileSync(report, "utf8")).toContain("Confusion matrix");

    const job = join(out, "job.mjs");
    const bundle = readFileSync(job, "utf8");
    writeFileSync(job, `throw new Error("no <luck>");\n${bundle}`);
    const broken = await runLockstep(["report", out]);
    expect(broken.status).toBe(1);
    expect(broken.stderr).toContain('loading the module threw "no <luck>"');
    expect(broken.stderr).toContain("E_JOB_LOAD");
    const text = readFileSync(report, "utf8");
    expect(text).toContain("Nothing of the model is shown: job: loading the module threw &quot;no &lt;luck&gt;&quot;");
    expect(text).toContain('data-series="training"');
    expect(text).not.toContain("Confusion matrix");

    writeFileSync(job, bundle);
    rmSync(join(out, "checkpoints"), { recursive: true });
    const bare = await runLockstep(["report", out]);
    expect(`${bare.status} ${bare.stderr}`).toBe("0 ");
    expect(readFileSync(report, "utf8")).toContain(
      "no complete checkpoint yet, so nothing of its model is shown: curves only.",
    );

    rmSync(report);
    appendFileSync(join(out, "metrics.jsonl"), '{"step":31,"loss":"low"}\n');
    const refused = await runLockstep(["report", out]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/metrics\.jsonl line 31 has loss: .*\(E_USAGE_LINE\)/);
    expect(existsSync(report)).toBe(false);
  }, 60_000);
});

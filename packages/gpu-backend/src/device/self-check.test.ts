import { afterAll, expect, test } from "vitest";
import { defineKernel } from "../launch/kernel.js";
import { describeGpu, testGpu } from "../testing.testkit.js";
import { type DeviceCheck, deviceChecks } from "./device-checks.js";
import { type OpenedDevice, openDevice } from "./open-device.js";
import { selfCheck } from "./self-check.js";

describeGpu("the self-check of a device", () => {
  const opened: OpenedDevice[] = [];
  const open = async (): Promise<OpenedDevice> => {
    const device = await openDevice(testGpu(), { allowSoftware: true });
    opened.push(device);
    return device;
  };
  afterAll(() => {
    for (const { device } of opened) device.destroy();
  });

  const writing = (body: string): DeviceCheck["launches"] => {
    const kernel = defineKernel({ name: "planted", operands: { out: "write i32" }, params: {}, body });
    return [{ kernel, params: {}, options: { groups: 1 } }];
  };

  test("a right device keeps every feature, and every check has words to compare", async () => {
    const device = await open();
    const notices: string[] = [];
    const held = await selfCheck(device, { onNotice: (line) => notices.push(line) });
    expect([...held]).toEqual([...device.features]);
    expect(notices).toEqual([]);
    expect(deviceChecks.map(({ expected }) => expected.some((word) => word !== 0))).not.toContain(false);
  });

  test.each(deviceChecks.map((check) => [check.name, check] as const))(
    "a wrong word of %s is an error with the check, what was expected and what came",
    async (name, check) => {
      const place = check.expected.length - 2;
      const right = check.expected[place]!;
      const wrong = check.expected.with(place, right + 1);
      const fields = { check: name, index: place, expected: right + 1, actual: right };
      const { feature: _whatever, ...required } = check;
      await expect(selfCheck(await open(), { checks: [{ ...required, expected: wrong }] })).rejects.toMatchObject({
        code: "E_DEVICE",
        fields,
      });
    },
  );

  test("an optional feature that gives wrong words is switched off, with one line that says why", async () => {
    const device = await open();
    const notices: string[] = [];
    const planted: DeviceCheck = {
      name: "planted sums",
      feature: "timestamp-query",
      launches: writing("  if (item < 2u) { out_put(item, 7 + i32(item)); }"),
      expected: [7, 9],
    };
    const held = await selfCheck(device, {
      onNotice: (line) => notices.push(line),
      checks: [...deviceChecks, planted],
    });
    expect([...held]).toEqual([...device.features].filter((name) => name !== "timestamp-query"));
    expect(notices.length).toBe(1);
    expect(notices[0]).toMatch(/"timestamp-query" of ".+" is switched off, its check "planted sums" failed/);
    expect(notices[0]).toMatch(/word 1 of 2 is 8, and it must be 9/);
  });

  test("an optional feature whose kernel does not compile is switched off, and the device stays well", async () => {
    const device = await open();
    const notices: string[] = [];
    const planted: DeviceCheck = {
      name: "planted text",
      feature: "timestamp-query",
      launches: writing("  out_put(0u, nothing);"),
      expected: [1],
    };
    const held = await selfCheck(device, { onNotice: (line) => notices.push(line), checks: [planted] });
    expect(held.has("timestamp-query")).toBe(false);
    expect(notices.join()).toMatch(/unresolved value 'nothing'/);
    expect([...(await selfCheck(device, { checks: deviceChecks }))]).toEqual([...device.features]);
  });

  test("a required kernel that does not compile is an error that names it", async () => {
    const planted: DeviceCheck = { name: "planted", launches: writing("  out_put(0u, nothing);"), expected: [1] };
    await expect(selfCheck(await open(), { checks: [planted] })).rejects.toMatchObject({
      code: "E_SHADER",
      fields: { kernel: "planted" },
    });
  });
});

// Loaded before the command by NODE_OPTIONS: its clock differs from the machine's by a number of milliseconds, like one that was
// never synchronised.
const shiftMs = Number(process.env.SHIFTED_CLOCK_MS);
const MachineDate = Date;
globalThis.Date = class extends MachineDate {
  constructor(...given) {
    if (given.length === 0) super(MachineDate.now() + shiftMs);
    else super(...given);
  }
  static now() {
    return MachineDate.now() + shiftMs;
  }
};

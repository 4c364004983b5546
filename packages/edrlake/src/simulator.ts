/**
 * A gateway on the loopback interface that behaves, and on request misbehaves, like the Qualys IOC 2.3 / EDR 1.0 API.
 * @module
 */
export {
  type Addition,
  type Axis,
  type Burst,
  type Call,
  type CallLog,
  type DayTruth,
  DEFAULT_LATENESS,
  type Endpoint,
  type EventType,
  type Fault,
  type FaultEffect,
  type FaultMatch,
  type FaultQueue,
  type HeaderSpelling,
  type HistogramShape,
  type JsonObject,
  type LatenessClass,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
  type TimelineProfile,
  type TimeTokens,
  type Truth,
  type Vintage,
} from '@edrlake/simulator';

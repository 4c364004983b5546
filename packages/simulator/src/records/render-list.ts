import type { EventAttributes } from '../world/attributes.ts';
import type { Certificate, KnownFile } from '../world/files-pool.ts';
import { draw, hexDigest, pick } from '../world/hash.ts';
import type { Identities } from '../world/identity.ts';
import type { Population } from '../world/population.ts';
import { apiTimestamp } from '../world/time-text.ts';
import { actorJson, elevatedJson, PROGRAMS, type Program } from './actors.ts';
import { indicatorsJson } from './indicators.ts';

/** The data that records are rendered from. */
export interface EventWorld {
  readonly attributes: EventAttributes;
  readonly population: Population;
  readonly identities: Identities;
}

const SALT = {
  score: 70,
  path: 71,
  extension: 72,
  elevated: 73,
  network: 74,
  registry: 75,
  mutex: 76,
  image: 77,
  program: 78,
} as const;
const INTEGRITY_LEVELS = ['Medium', 'High', 'System', ' '] as const;

/**
 * Makes the writer of list records: the JSON text of an event as `GET /ioc/events` shows it, in the payload of its
 * vintage. Parts that many events have in common are kept as text; their number is fixed.
 */
export function listRenderer(world: EventWorld): (index: number) => string {
  const { attributes, population, identities } = world;
  const { seed } = attributes;
  const assets = assetTexts(attributes);
  const fileTexts = fileTextsOf();

  const edr = (index: number, timeMs: number, id: string) => {
    const { fileJson, sectionJson } = sections(index);
    return (
      `{"dateTime":"${apiTimestamp(timeMs)}","actor":${actorJson(seed, index, timeMs)}` +
      `${scoreJson(attributes, population, index)},"eventProcessedTime":"${apiTimestamp(population.processedOf(index))}"` +
      `${fileJson},"action":"${attributes.action(index)}"${indicatorsJson(attributes, identities, population, index)}` +
      `,"id":${id},"type":"${attributes.type(index)}","asset":${assets(index)}${sectionJson}${unknownJson(attributes, index)}}`
    );
  };
  const ioc = (index: number, timeMs: number, id: string) => {
    const { fileJson, sectionJson } = sections(index);
    const revision = population.revisionOf(index);
    return (
      `{"dateTime":"${apiTimestamp(timeMs)}"${fileJson}${sectionJson}` +
      `,"eventProcessedTime":"${apiTimestamp(population.processedOf(index))}","timeSeriesId":"${identities.seriesId(index)}"` +
      `${revision > 0 ? `,"score":${attributes.score(index, revision)}` : ''},"action":"${attributes.action(index)}"` +
      `,"id":${id},"type":"${attributes.type(index)}","asset":${assets(index)}${unknownJson(attributes, index)}}`
    );
  };
  const sections = (index: number) => {
    if (attributes.type(index) === 'FILE') {
      const withCertificates = attributes.vintage(index) === 'edr';
      return {
        fileJson: `,"file":${fileTexts(seed, index, attributes.file(index), withCertificates)}`,
        sectionJson: '',
      };
    }
    return { fileJson: '', sectionJson: typeSection(world, index) };
  };
  return (index) => {
    const id = identities.id(index);
    const write = attributes.vintage(index) === 'edr' ? edr : ioc;
    return write(index, population.timeOf(index), id === null ? 'null' : JSON.stringify(id));
  };
}

/** Text, number, null or not there at all. */
function scoreJson(attributes: EventAttributes, population: Population, index: number): string {
  const score = attributes.score(index, population.revisionOf(index));
  const form = draw(attributes.seed, index, SALT.score) % 10;
  if (form < 5) return `,"score":"${score}"`;
  if (form < 8 || score > 0) return `,"score":${score}`;
  return form === 8 ? ',"score":null' : '';
}

function unknownJson(attributes: EventAttributes, index: number): string {
  switch (attributes.unknownPart(index)) {
    case 'amsi':
      return `,"amsi":{"scriptName":"C:\\\\Temp\\\\${index}.ps1","contentLength":${index % 9000},"blocked":false}`;
    case 'antiphishing':
      return `,"antiphishing":{"url":"https://login.example.org/?u=${index}","verdict":"PHISHING"}`;
    case 'top-level':
      return `,"telemetryVersion":"4.${index % 7}"`;
    default:
      return '';
  }
}

/** The `asset` sections, one text for each machine, vintage and optional part. */
function assetTexts(attributes: EventAttributes): (index: number) => string {
  const known: (string | undefined)[] = [];
  return (index) => {
    const { seed } = attributes;
    const at = attributes.machineNumber(index);
    const interfaces = attributes.interfaceCount(index) > 0;
    const tags = attributes.tagCount(index) > 0;
    const unknown = attributes.unknownPart(index) === 'in-asset';
    const key = at * 8 + (interfaces ? 4 : 0) + (tags ? 2 : 0) + (unknown ? 1 : 0);
    let text = known[key];
    if (text === undefined) {
      const machine = attributes.machine(index);
      text = JSON.stringify({
        fullOSName: machine.osName,
        hostName: machine.hostName,
        agentId: machine.agentId,
        ...(interfaces ? { interfaces: machine.interfaces } : {}),
        ...(tags ? { tags: machine.tags } : draw(seed, at, SALT.path) % 3 === 0 ? { tags: null } : {}),
        netBiosName: machine.netBiosName,
        customerId: attributes.customerId,
        platform: machine.platform,
        ...(machine.assetType === null ? {} : { assetType: machine.assetType, lastLoggedOnUser: machine.lastUser }),
        ...(unknown ? { sensorBuild: '4.2.0.8' } : {}),
      });
      known[key] = text;
    }
    return text;
  };
}

interface FileText {
  readonly paths: readonly string[];
  readonly middle: string;
  readonly extension: string;
  readonly certificates: string;
}

/** The `file` sections; parts of files that come again are remembered, so at most the pool's size. */
function fileTextsOf(): (seed: number, index: number, file: KnownFile, withCertificates: boolean) => string {
  const known = new Map<KnownFile, FileText>();
  const certificateText = (certificate: Certificate) =>
    JSON.stringify({
      certificateSigned: certificate.signed,
      certificateIssuer: certificate.issuer,
      certificateValid: certificate.valid,
      certificateIssuedTo: certificate.issuedTo,
      certificateSignedDate: certificate.signedDate,
    });
  const make = (file: KnownFile): FileText => {
    const inside = JSON.stringify({
      path: file.directory,
      fileName: file.name,
      createdDate: apiTimestamp(file.createdMs),
      sha256: file.sha256,
      md5: file.md5,
      ...(file.sizeBytes % 2 === 0
        ? { size: file.sizeBytes, company: file.company, product: file.product, version: file.version }
        : {}),
    });
    return {
      paths: [file.directory, `${file.directory}\\${file.name}`, `${file.directory}//${file.name}`].map((path) =>
        JSON.stringify(path),
      ),
      middle: inside.slice(1, -1),
      extension: file.extension,
      certificates: file.certificates.map(certificateText).join(','),
    };
  };
  return (seed, index, file, withCertificates) => {
    let text = file.pooled ? known.get(file) : undefined;
    if (text === undefined) {
      text = make(file);
      if (file.pooled) known.set(file, text);
    }
    const path = pick(text.paths, draw(seed, index, SALT.path));
    const dot = draw(seed, index, SALT.extension) % 3 === 0 ? '.' : '';
    const certificates = withCertificates ? certificatesJson(seed, index, text.certificates) : '';
    return `{"fullPath":${path},"extension":"${dot}${text.extension}",${text.middle}${certificates}}`;
  };
}

/** Where there is no certificate: an empty array, null or nothing. */
function certificatesJson(seed: number, index: number, elements: string): string {
  if (elements !== '') return `,"certificates":[${elements}]`;
  return ['', ',"certificates":[]', ',"certificates":null'][draw(seed, index, SALT.extension) % 3] as string;
}

function typeSection({ attributes, identities }: EventWorld, index: number): string {
  const { seed } = attributes;
  switch (attributes.type(index)) {
    case 'PROCESS':
      return processJson(attributes, identities, index);
    case 'NETWORK': {
      const { localIp, remoteIp, remoteDns, remotePort } = networkOf(seed, index);
      const dns = remoteDns === null ? 'null' : `"${remoteDns}"`;
      return `,"network":{"localIP":"${localIp}","remoteIP":"${remoteIp}","remoteDns":${dns},"remotePort":${remotePort},"protocol":"TCP"}`;
    }
    case 'REGISTRY':
      return `,"registry":{"key":${JSON.stringify(registryKeyOf(seed, index))},"value":"Start","data":${draw(seed, index, SALT.registry + 100) % 5}}`;
    case 'MUTEX':
      return `,"mutex":{"name":${JSON.stringify(mutexNameOf(seed, index))},"handles":[{"pid":${identities.pid(index)}}]}`;
    default:
      return '';
  }
}

/** The parts of PROCESS events that are the same for one program, before and after the parts that differ. */
const processTexts = PROGRAMS.map((program) => {
  const name = JSON.stringify(program.processName);
  const path = JSON.stringify(program.imagePath.slice(0, program.imagePath.lastIndexOf('\\')));
  const fullPath = JSON.stringify(program.imagePath);
  return {
    head: `,"process":{"fullPath":${fullPath},"processName":${name},"arguments":${JSON.stringify(program.arguments)},"userName":${JSON.stringify(program.userName)},"sid":"${program.sid}","processFile":{"fullPath":${fullPath},"path":${path},"fileName":${name},"moduleName":${name},"uniqueImageId":"`,
  };
});

function processJson(attributes: EventAttributes, identities: Identities, index: number): string {
  const { seed } = attributes;
  const { head } = pick(processTexts, draw(seed, index, SALT.program));
  const file = attributes.file(index);
  const rowId = identities.rowId(index);
  const pid = identities.pid(index);
  return (
    `${head}${hexDigest(seed, index, SALT.image, 1)}","sha256":"${file.sha256}","md5":"${file.md5}"},` +
    `"processEventId":"RTP_${rowId}_${pid}","processUniqueId":"${rowId}"${elevatedJson(draw(seed, index, SALT.elevated) % 8)}` +
    `,"parentPid":${identities.pid(index + 1)},"isCertificateExists":${file.certificates.length > 0},"pid":${pid},` +
    `"integrityLevel":"${pick(INTEGRITY_LEVELS, draw(seed, index, SALT.image))}"}`
  );
}

/** The program a PROCESS event is about; the actor is another. */
export function subjectOf(seed: number, index: number): Program {
  return pick(PROGRAMS, draw(seed, index, SALT.program));
}

/** The two ends of a NETWORK event. */
export function networkOf(seed: number, index: number) {
  const drawn = draw(seed, index, SALT.network);
  const site = drawn % 400;
  return {
    localIp: `10.${(drawn >>> 20) & 255}.${(drawn >>> 12) & 255}.${1 + ((drawn >>> 4) % 254)}`,
    remoteIp: `${20 + (site % 180)}.${site % 256}.${(site * 7) % 256}.${1 + (site % 254)}`,
    remoteDns: site % 5 === 0 ? null : `host${site}.example.org`,
    remotePort: pick([443, 443, 80, 53, 445, 8443], drawn >>> 6),
  };
}

/** The key of a REGISTRY event. */
export function registryKeyOf(seed: number, index: number): string {
  return `HKLM\\SYSTEM\\CurrentControlSet\\Services\\Svc${draw(seed, index, SALT.registry) % 900}`;
}

/** The name of a MUTEX event's mutex. */
export function mutexNameOf(seed: number, index: number): string {
  return `\\Sessions\\${draw(seed, index, SALT.mutex) % 4}\\BaseNamedObjects\\Mutex-${draw(seed, index, SALT.mutex) % 700}`;
}

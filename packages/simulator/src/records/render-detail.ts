import { hexDigest } from '../world/hash.ts';
import { apiTimestamp, DAY_MS } from '../world/time-text.ts';
import { actorPid, programOf } from './actors.ts';
import { verdictOf } from './indicators.ts';
import type { EventWorld } from './render-list.ts';

/** A parsed JSON object. */
export type JsonObject = { [key: string]: unknown };

const SECURITY =
  'O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464G:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464D:PAI(A;;FA;;;SY)';
const SALT = { actorId: 90 } as const;

/**
 * The answer of `GET /ioc/events/{agentId}/{eventId}` for an event, derived from its list record: more fields, other
 * types. IOC 2.3: nulls everywhere, `id` has the time-series id. EDR 1.0: `eventId` instead of `id`, arrays, `//` in
 * `fullPath`.
 */
export function detailOf(world: EventWorld, index: number, listRecord: JsonObject): JsonObject {
  return world.attributes.vintage(index) === 'edr'
    ? edrDetail(world, index, listRecord)
    : iocDetail(world, index, listRecord);
}

function edrDetail({ attributes, population, identities }: EventWorld, index: number, listed: JsonObject): JsonObject {
  const { seed } = attributes;
  const revision = population.revisionOf(index);
  const program = programOf(seed, index);
  const pid = actorPid(seed, index);
  const { id: _id, actor: _actor, eventProcessedTime: _processed, ...rest } = listed;
  const file = attributes.type(index) === 'FILE' ? attributes.file(index) : null;
  return {
    ...rest,
    score: attributes.score(index, revision),
    customerId: (listed.asset as JsonObject).customerId,
    verdict: [verdictOf(attributes, index, revision)],
    category: [''],
    familyName: [attributes.family(index) ?? ''],
    eventId: identities.id(index),
    ...(file === null ? {} : { file: { ...(listed.file as JsonObject), ...fileDetail(attributes, index) } }),
    actor: {
      state: 'RUNNING',
      eventId: `RTP_${attributes.machine(index).agentId}_-${10 ** 17 + Number.parseInt(hexDigest(seed, index, SALT.actorId, 1), 16)}_${pid}`,
      arguments: program.arguments,
      elevated: 'false',
      userName: program.userName,
      processId: pid,
      parentProcessId: 0,
      processName: program.processName,
      imageFullPath: program.imagePath,
    },
  };
}

function fileDetail(attributes: EventWorld['attributes'], index: number): JsonObject {
  const file = attributes.file(index);
  return {
    fullPath: `${file.directory}//${file.name}`,
    extension: file.extension,
    size: file.sizeBytes,
    accessDate: apiTimestamp(file.createdMs + 300 * DAY_MS),
    writeDate: apiTimestamp(file.createdMs),
    deviceLetter: file.directory.slice(0, 1),
    company: file.company,
    copyright: `© ${file.company}. All rights reserved.`,
    version: file.version,
    product: file.product,
    securityAttributes: SECURITY,
    certificates: file.certificates.map((certificate) => ({
      certificateHash: certificate.hash,
      certificateIssuer: certificate.issuer,
      certificateIssuedTo: certificate.issuedTo,
      certificateValid: certificate.valid,
      certificateSigned: certificate.signed,
      certificateSignedDate: certificate.signedDate,
      subject: certificate.issuedTo,
      expiryDate: certificate.expiryDate,
    })),
  };
}

function iocDetail({ attributes, identities }: EventWorld, index: number, listed: JsonObject): JsonObject {
  const { timeSeriesId: _series, eventProcessedTime: _processed, ...rest } = listed;
  const asset = listed.asset as JsonObject;
  const isFile = attributes.type(index) === 'FILE';
  const { certificates: _certificates, ...file } = isFile ? fileDetail(attributes, index) : {};
  return {
    score: null,
    infections: null,
    registry: null,
    process: null,
    mutex: null,
    network: null,
    indicator1: null,
    indicator2: null,
    familyName: null,
    verdict: null,
    category: null,
    customerId: asset.customerId,
    ...rest,
    id: identities.seriesId(index),
    asset: { assetType: null, tags: null, lastLoggedOnUser: null, ...asset },
    ...(isFile
      ? {
          file: {
            fileType: null,
            owner: null,
            devicePath: null,
            publisher: null,
            permission: null,
            manifestId: null,
            ...(listed.file as JsonObject),
            ...file,
          },
        }
      : { file: null }),
  };
}

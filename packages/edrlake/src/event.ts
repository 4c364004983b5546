// Made of the table spec by packages/edrlake/test/event.types.test.ts: npm run docs writes it again.

/**
 * An event as the API delivers it. Every field may be missing or null, and a field of another type than documented is
 * left as it came, so check what you rely on. Times are text: UTC unless they have an offset. The lake holds the same
 * events as tables, with one type for each column.
 */
export interface EdrEvent {
  /** Identity of the event, as delivered; unique in this table. Column: `event_id`. */
  readonly id?: string | null;
  /** Identity of the event, as delivered; unique in this table. Column: `event_id`. */
  readonly eventId?: string | null;
  /** When it happened on the asset, like `2020-08-17T04:15:06.000+0000`. Column: `event_time`. */
  readonly dateTime?: string | null;
  /** When the platform processed it, like `2020-08-17T04:15:06.000+0000`. Column: `processed_time`. */
  readonly eventProcessedTime?: string | null;
  /** Identity in the time-series store of the first API version. Column: `time_series_id`. */
  readonly timeSeriesId?: string | null;
  /** FILE, PROCESS, MUTEX, NETWORK, REGISTRY or newer, as delivered. Column: `event_type`. */
  readonly type?: string | null;
  /** What happened: CREATED, RUNNING, …, as delivered. Column: `action`. */
  readonly action?: string | null;
  /** Maliciousness of the event; higher is worse. Column: `score`. */
  readonly score?: number | null;
  /** What reported the event. Column: `event_source`. */
  readonly eventSource?: string | null;
  /** The subscription the asset belongs to. Column: `customer_id`. */
  readonly customerId?: string | null;
  readonly asset?: EdrAsset | null;
  readonly actor?: EdrActor | null;
  readonly file?: EdrFile | null;
  readonly process?: EdrProcess | null;
  /** The whole section as delivered. Column: `network`. */
  readonly network?: Readonly<Record<string, unknown>> | null;
  /** The whole section as delivered. Column: `registry`. */
  readonly registry?: Readonly<Record<string, unknown>> | null;
  /** The whole section as delivered. Column: `mutex`. */
  readonly mutex?: Readonly<Record<string, unknown>> | null;
  readonly indicator1?: readonly EdrIndicator[] | null;
  readonly indicator2?: readonly EdrIndicator[] | null;
  /** No column takes it. Column: `extra`. */
  readonly verdict?: unknown;
  /** No column takes it. Column: `extra`. */
  readonly category?: unknown;
  /** No column takes it. Column: `extra`. */
  readonly familyName?: unknown;
  /** No column takes it. Column: `extra`. */
  readonly infections?: unknown;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** The section `asset` of an event. */
export interface EdrAsset {
  /** The subscription the asset belongs to. Column: `customer_id`. */
  readonly customerId?: string | null;
  /** The agent on the asset. Column: `agent_id`. */
  readonly agentId?: string | null;
  /** Host name of the asset. Column: `host_name`. */
  readonly hostName?: string | null;
  /** NetBIOS name of the asset. Column: `netbios_name`. */
  readonly netBiosName?: string | null;
  /** WINDOWS, LINUX, …, as delivered. Column: `platform`. */
  readonly platform?: string | null;
  /** Operating system with version and build. Column: `os_name`. */
  readonly fullOSName?: string | null;
  /** Kind of asset. Column: `asset_type`. */
  readonly assetType?: string | null;
  /** Who logged on last. Column: `last_logged_on_user`. */
  readonly lastLoggedOnUser?: string | null;
  readonly interfaces?: readonly EdrInterface[] | null;
  readonly tags?: readonly EdrAssetTag[] | null;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** An element of `asset.interfaces`. */
export interface EdrInterface {
  /** Address of the interface. Column: `ip_address`. */
  readonly ipAddress?: string | null;
  /** Hardware address of the interface. Column: `mac_address`. */
  readonly macAddress?: string | null;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** An element of `asset.tags`. */
export interface EdrAssetTag {
  /** Id of the tag. Column: `tag_id`. */
  readonly id?: number | null;
  /** Name of the tag. Column: `tag_name`. */
  readonly name?: string | null;
  /** UUID of the tag. Column: `tag_uuid`. */
  readonly uuid?: string | null;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** The section `actor` of an event. */
export interface EdrActor {
  /** Process id of the process that acted. Column: `actor_process_id`. */
  readonly processId?: number | null;
  /** Its image name. Column: `actor_process_name`. */
  readonly processName?: string | null;
  /** Account it runs as, with domain. Column: `actor_user_name`. */
  readonly userName?: string | null;
  /** Account it runs as. Column: `actor_user_id`. */
  readonly userId?: string | null;
  /** Its image with directory. Column: `actor_image_path`. */
  readonly imageFullPath?: string | null;
  /** Its command line arguments. Column: `actor_arguments`. */
  readonly arguments?: string | null;
  /** Whether it runs elevated. Column: `actor_elevated`. */
  readonly elevated?: boolean | null;
  /** Process id of its parent. Column: `actor_parent_process_id`. */
  readonly parentProcessId?: number | null;
  /** RUNNING, TERMINATED, …, as delivered. Column: `actor_state`. */
  readonly state?: string | null;
  /** Event id of its own PROCESS event. Column: `actor_event_id`. */
  readonly eventId?: string | null;
  /** When it was started, like `2020-08-17T04:15:06.000+0000`. Column: `actor_created_time`. */
  readonly createDate?: string | null;
  /** When it was started, like `2020-08-17T04:15:06.000+0000`. Column: `actor_created_time`. */
  readonly createdDate?: string | null;
  /** No column takes it. Column: `extra`. */
  readonly type?: unknown;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** The section `file` of an event. */
export interface EdrFile {
  /** Name without directory. Column: `file_name`. */
  readonly fileName?: string | null;
  /** The directory. Column: `file_path`. */
  readonly path?: string | null;
  /** Directory and name. Column: `file_full_path`. */
  readonly fullPath?: string | null;
  /** Extension without its dot. Column: `file_extension`. */
  readonly extension?: string | null;
  /** MD5 of the content, hexadecimal. Column: `file_md5`. */
  readonly md5?: string | null;
  /** SHA-256 of the content, hexadecimal. Column: `file_sha256`. */
  readonly sha256?: string | null;
  /** Size of the content, in bytes. Column: `file_size`. */
  readonly size?: number | null;
  /** When it was created, like `2020-08-17T04:15:06.000+0000`. Column: `file_created_time`. */
  readonly createdDate?: string | null;
  /** When it was created, like `2020-08-17T04:15:06.000+0000`. Column: `file_created_time`. */
  readonly createDate?: string | null;
  /** When it was last read, like `2020-08-17T04:15:06.000+0000`. Column: `file_accessed_time`. */
  readonly accessDate?: string | null;
  /** When it was last written, like `2020-08-17T04:15:06.000+0000`. Column: `file_modified_time`. */
  readonly writeDate?: string | null;
  /** Company in its version resource. Column: `file_company`. */
  readonly company?: string | null;
  /** Product in its version resource. Column: `file_product`. */
  readonly product?: string | null;
  /** Version in its version resource. Column: `file_version`. */
  readonly version?: string | null;
  /** Description in its version resource. Column: `file_description`. */
  readonly description?: string | null;
  /** Copyright in its version resource. Column: `file_copyright`. */
  readonly copyright?: string | null;
  /** Who signed it. Column: `file_publisher`. */
  readonly publisher?: string | null;
  /** Account that owns it. Column: `file_owner`. */
  readonly owner?: string | null;
  /** Kind of file. Column: `file_type`. */
  readonly fileType?: string | null;
  /** Drive letter. Column: `file_device_letter`. */
  readonly deviceLetter?: string | null;
  /** Device. Column: `file_device_path`. */
  readonly devicePath?: string | null;
  /** Permissions as delivered. Column: `file_permission`. */
  readonly permission?: string | null;
  /** Security descriptor (SDDL). Column: `file_security_attributes`. */
  readonly securityAttributes?: string | null;
  /** Manifest the collection followed. Column: `file_manifest_id`. */
  readonly manifestId?: string | null;
  readonly certificates?: readonly EdrCertificate[] | null;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** An element of `file.certificates`. */
export interface EdrCertificate {
  /** 64-bit hash of the certificate, as text. Column: `certificate_hash`. */
  readonly certificateHash?: string | null;
  /** Who issued it. Column: `issuer`. */
  readonly certificateIssuer?: string | null;
  /** Whom it was issued to. Column: `issued_to`. */
  readonly certificateIssuedTo?: string | null;
  /** Subject of the certificate. Column: `subject`. */
  readonly subject?: string | null;
  /** Whether the platform found it valid. Column: `is_valid`. */
  readonly certificateValid?: boolean | null;
  /** Whether the file is signed with it. Column: `is_signed`. */
  readonly certificateSigned?: boolean | null;
  /** When it was signed, like `2020-08-17T04:15:06.000+0000`. Column: `signed_time`. */
  readonly certificateSignedDate?: string | null;
  /** When it expires, like `2020-08-17T04:15:06.000+0000`. Column: `expiry_time`. */
  readonly expiryDate?: string | null;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** The section `process` of an event. */
export interface EdrProcess {
  /** Process id of the process the event is about. Column: `process_id`. */
  readonly pid?: number | null;
  /** Its image name. Column: `process_name`. */
  readonly processName?: string | null;
  readonly processFile?: EdrProcessProcessFile | null;
  /** Its image with directory. Column: `process_full_path`. */
  readonly fullPath?: string | null;
  /** Its command line arguments. Column: `process_arguments`. */
  readonly arguments?: string | null;
  /** Account it runs as. Column: `process_user_name`. */
  readonly userName?: string | null;
  /** Whether it runs elevated. Column: `process_elevated`. */
  readonly elevated?: boolean | null;
  /** Process id of its parent. Column: `process_parent_id`. */
  readonly parentPid?: number | null;
  /** Integrity level. Column: `process_integrity_level`. */
  readonly integrityLevel?: string | null;
  /** Security identifier of the account. Column: `process_sid`. */
  readonly sid?: string | null;
  /** Event id of the process. Column: `process_event_id`. */
  readonly processEventId?: string | null;
  /** No column takes it. Column: `extra`. */
  readonly isCertificateExists?: unknown;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** The section `process.processFile` of an event. */
export interface EdrProcessProcessFile {
  /** Its image name. Column: `process_name`. */
  readonly fileName?: string | null;
  /** Its image with directory. Column: `process_full_path`. */
  readonly fullPath?: string | null;
  /** SHA-256 of its image, hexadecimal. Column: `process_file_sha256`. */
  readonly sha256?: string | null;
  /** MD5 of its image, hexadecimal. Column: `process_file_md5`. */
  readonly md5?: string | null;
  /** No column takes it. Column: `extra`. */
  readonly path?: unknown;
  /** No column takes it. Column: `extra`. */
  readonly moduleName?: unknown;
  /** No column takes it. Column: `extra`. */
  readonly uniqueImageId?: unknown;
  /** What no document names. */
  readonly [field: string]: unknown;
}

/** An element of `indicator1` or `indicator2`. */
export interface EdrIndicator {
  /** Maliciousness; higher is worse. Column: `score`. */
  readonly score?: number | null;
  /** SHA-256 the indicator is about, hexadecimal. Column: `sha256`. */
  readonly sha256?: string | null;
  /** Malware family. Column: `family_name`. */
  readonly familyName?: string | null;
  /** KNOWN, MALICIOUS, …, as delivered. Column: `verdict`. */
  readonly verdict?: string | null;
  /** Name of the threat. Column: `threat_name`. */
  readonly threatName?: string | null;
  /** Malware category. Column: `category`. */
  readonly category?: string | null;
  /** 64-bit id of the indicator, as text. Column: `row_id`. */
  readonly rowId?: string | null;
  /** What no document names. */
  readonly [field: string]: unknown;
}

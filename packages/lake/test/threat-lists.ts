const SHA256 = 'sha256 5568c34822415c88f5905c06439ffedcc012691f8a16e013c7410d99671d2d16';
const MD5 = 'md5 44d88612fea8a8f36de82e1278abb02f';

/** What `test/services/threat-lists/make_lists.py` makes, and what is hunted of it. */
export const LISTS = [
  {
    file: 'stix-bundle.json',
    format: 'stix',
    expected: [
      SHA256,
      MD5,
      'network 29.113.23.0/24',
      'ip 2001:db8::7',
      'domain evil.example',
      'url http://bad.example/a',
      'url http://10.9.8.7/x',
      'file invoice*.exe',
    ],
    faults: [
      'objects[5]: a pattern of the type yara, expected stix',
      'objects[6]: a pattern without a hash, address, domain, URL or file name',
    ],
  },
  {
    file: 'misp-event.json',
    format: 'misp',
    expected: [
      SHA256,
      'ip 29.113.23.116',
      'domain evil.example',
      'ip 10.9.8.7',
      'file a b.exe',
      MD5,
      'url http://bad.example/x?y=1',
      'file invoice.exe',
      'sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709',
    ],
    faults: ['Attribute[6]: an attribute of the type regkey'],
  },
] as const;

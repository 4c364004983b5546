"""Writes a STIX bundle and an export of MISP, each by its own library, into the folder of the first argument."""

import json
import sys

import stix2
from pymisp import MISPEvent, MISPObject

SHA256 = "5568c34822415c88f5905c06439ffedcc012691f8a16e013c7410d99671d2d16"
MD5 = "44d88612fea8a8f36de82e1278abb02f"
WHEN = "2020-08-17T00:00:00Z"


def indicator(pattern, pattern_type="stix", **more):
    return stix2.Indicator(
        pattern=pattern, pattern_type=pattern_type, valid_from=WHEN, created=WHEN, modified=WHEN, **more
    )


def bundle():
    urls = "url:value IN ('http://bad.example/a', 'http://10.9.8.7/x')"
    return stix2.Bundle(
        objects=[
            indicator(f"[file:hashes.'SHA-256' = '{SHA256}' OR file:hashes.MD5 = '{MD5}']"),
            indicator("[ipv4-addr:value ISSUBSET '29.113.23.0/24'] OR [ipv6-addr:value = '2001:db8::7']"),
            indicator(f"[domain-name:value = 'evil.example' AND network-traffic:dst_port = 443] FOLLOWEDBY [{urls}]"),
            indicator("[file:name LIKE 'invoice%.exe' AND file:size > 100]"),
            indicator("[file:name = 'revoked.exe']", revoked=True),
            indicator("rule a { condition: true }", pattern_type="yara"),
            indicator(r"[windows-registry-key:key = 'HKLM\\Software\\X']"),
            stix2.Malware(name="m", is_family=False),
        ]
    )


def event():
    made = MISPEvent()
    made.info = "test"
    made.date = "2020-08-17"
    made.add_attribute("sha256", SHA256)
    made.add_attribute("ip-dst|port", "29.113.23.116|443")
    made.add_attribute("domain|ip", "evil.example|10.9.8.7")
    made.add_attribute("filename|md5", f"a b.exe|{MD5}")
    made.add_attribute("url", "http://bad.example/x?y=1")
    made.add_attribute("md5", "f" * 32, to_ids=False)
    made.add_attribute("regkey", "HKLM\\Software\\X", to_ids=True)
    file = MISPObject("file")
    file.add_attribute("filename", value="invoice.exe")
    file.add_attribute("sha1", value="da39a3ee5e6b4b0d3255bfef95601890afd80709")
    made.add_object(file)
    return made


with open(sys.argv[1] + "/stix-bundle.json", "w", encoding="utf-8") as out:
    out.write(bundle().serialize(pretty=True) + "\n")
with open(sys.argv[1] + "/misp-event.json", "w", encoding="utf-8") as out:
    json.dump({"Event": json.loads(event().to_json())}, out, indent=1)
    out.write("\n")

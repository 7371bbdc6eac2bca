#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# revocation.sh FOLDER URL [MODE=URL...] - adds to what tls-matrix.sh made: certificates that name OCSP responders and
# revocation lists at URL (revocation.py), and the lists. Each is a file rev-NAME.chain of leaf and intermediate;
# rev-peer-MODE names another URL for both.
set -e
cd "$1"
url=$2
issue() { # NAME KEY EXTENSIONS [WHEN DAYS [SERIAL]]
    openssl req -new -key "$2.key" -subj "/CN=$1" -out "$1.csr"
    faketime "${4:--1 day}" openssl x509 -req -in "$1.csr" -CA int.crt -CAkey int.key -days "${5:-300}" -out "$1.crt" \
        -set_serial "${6:-0x$(printf %s "$1" | od -An -tx1 | tr -d ' \n' | cut -c1-38)}" \
        -extfile <(printf '%b\n' "$3") 2>/dev/null
    cat "$1.crt" int.crt >"$1.chain"
}
san='subjectAltName=DNS:localhost'
# rev NAME OCSP CRL: "-" for none
rev() {
    local extensions=$san
    [ "$2" = - ] || extensions+="\nauthorityInfoAccess=OCSP;URI:$2"
    [ "$3" = - ] || extensions+="\ncrlDistributionPoints=URI:$3"
    issue "rev-$1" leaf "$extensions"
}
for mode in good get-only post-only delegated delegate-expired no-eku stranger stale future undated undated-old \
    about-other; do
    rev "o-$mode" "$url/ocsp/$mode" -
done
for mode in garbage empty later moved huge slow silent missing; do
    rev "o-$mode" "$url/odd/$mode" -
    rev "l-$mode" - "$url/odd/$mode"
done
for list in int.der int.crl other.crl twin.crl stale.crl future.crl torn.der undated.der shard1.crl; do
    rev "l-$list" - "$url/crl/$list"
done
rev l-shard2 - "$url/crl/shard2.crl"
rev o-refused http://127.0.0.1:1/ -
rev l-refused - http://127.0.0.1:1/x.crl
rev o-unresolved http://no.such.host.invalid/ -
rev none - -
rev ldap - ldap://127.0.0.1/cn=x
rev o-revoked "$url/ocsp/good" -
rev o-unknown "$url/ocsp/good" -
rev l-revoked - "$url/crl/int.der"
rev both-silent "$url/odd/silent" "$url/crl/int.der"
rev both-unknown "$url/ocsp/good" "$url/crl/int.der"
rev both-revoked "$url/odd/missing" "$url/crl/int.der"
rev both-bad "$url/odd/garbage" http://127.0.0.1:1/x.crl
rev both-good "$url/ocsp/good" "$url/odd/silent"
for peer in "${@:3}"; do
    rev "peer-${peer%%=*}" "${peer#*=}" "${peer#*=}x.crl"
done
issue rev-old leaf "$san\nauthorityInfoAccess=OCSP;URI:$url/odd/silent" '-40 days' 30
head -c 3000 rev-o-good.crt >rev-alone.chain
# an authority that its root revoked, and one that names nobody
openssl req -new -key int.key -subj '/CN=Fallen Intermediate' -out fallen.csr
openssl x509 -req -in fallen.csr -CA ca.crt -CAkey ca.key -days 300 -set_serial 0xfa11e4 -out fallen.crt -extfile \
    <(printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\ncrlDistributionPoints=URI:%s/crl/ca.crl\n' \
        "$url") 2>/dev/null
openssl x509 -req -in rev-o-good.csr -CA fallen.crt -CAkey int.key -days 300 -set_serial 0x600d -out under-fallen.crt \
    -extfile <(printf '%b\n' "$san\ncrlDistributionPoints=URI:$url/crl/fallen.crl") 2>/dev/null
cat under-fallen.crt fallen.crt >rev-fallen.chain
cp leaf.key rev-fallen.key
cp leaf.key rev-l-revoked.key
cp leaf.key rev-both-silent.key
for name in rev-l-revoked rev-both-silent rev-fallen; do
    sed '1,/^-----END/d' $name.chain >$name.rest
done

# who answers for the intermediate authority
openssl ecparam -name prime256v1 -genkey -noout -out delegate.key
cp delegate.key delegate-old.key
cp delegate.key no-eku.key
issue delegate delegate 'extendedKeyUsage=OCSPSigning'
issue delegate-old delegate 'extendedKeyUsage=OCSPSigning' '-40 days' 30
issue no-eku delegate 'extendedKeyUsage=serverAuth'

serial() { openssl x509 -in "$1.crt" -noout -serial | cut -d= -f2; }
when=261120080000Z
[ ! -e index.txt ] || cp index.txt index.before
{
    [ ! -e index.before ] || cat index.before
    for crt in rev-*.crt; do
        name=${crt%.crt}
        case $name in
        *-unknown) ;;
        *-revoked) printf 'R\t391231000000Z\t%s,keyCompromise\t%s\tunknown\t/CN=%s\n' $when "$(serial "$name")" "$name" ;;
        *) printf 'V\t391231000000Z\t\t%s\tunknown\t/CN=%s\n' "$(serial "$name")" "$name" ;;
        esac
    done
} >index.txt
printf 'R\t391231000000Z\t%s,superseded\tFA11E4\tunknown\t/CN=fallen\n' $when >ca-index.txt

# the lists
cat >lists.conf <<CONF
[ca]
default_ca=x
[x]
database=\$ENV::INDEX
crlnumber=crlnumber
default_md=sha256
crl_extensions=\$ENV::EXTENSIONS
[plain]
authorityKeyIdentifier=keyid
[bare]
[shard1]
issuingDistributionPoint=critical,@idp1
[shard2]
issuingDistributionPoint=critical,@idp2
[idp1]
fullname=URI:$url/crl/shard1.crl
onlyuser=TRUE
[idp2]
fullname=URI:$url/crl/shard1.crl
CONF
list() { # NAME SIGNER KEY [EXTENSIONS [WHEN]]
    INDEX=${INDEX:-index.txt} EXTENSIONS=${4:-plain} faketime "${5:-now}" openssl ca -config lists.conf -gencrl \
        -keyfile "$3.key" -cert "$2.crt" -crldays 30 -out "$1" 2>/dev/null
}
list int.crl int int
list stale.crl int int plain '-60 days'
list future.crl int int plain '+5 days'
list shard1.crl int int shard1
list shard2.crl int int shard2 # says that it is the first
list fallen.crl fallen int
INDEX=ca-index.txt list ca.crl ca ca
# of the same name with another key
openssl req -x509 -new -key other.key -subj '/CN=Test Intermediate' -days 300 -out twin.crt \
    -addext keyUsage=keyCertSign,cRLSign
list twin.crl twin other bare
openssl crl -in int.crl -outform DER -out int.der
/usr/bin/python3 - <<'PYTHON'
import subprocess

def element(der, at):
    """(end of the head, end) of the element that begins at `at`."""
    size, head = der[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7f
        size, head = int.from_bytes(der[head:head + count], 'big'), head + count
    return head, head + size

der = open('int.der', 'rb').read()
torn = bytearray(der)
torn[-1] ^= 1 # of the signature
open('torn.der', 'wb').write(torn)
# the same without nextUpdate, signed again: version, algorithm, issuer, thisUpdate, nextUpdate, ...
outer, _ = element(der, 0)
inside, end = element(der, outer)
starts = [inside]
while len(starts) < 6:
    starts.append(element(der, starts[-1])[1])
tbs = der[starts[0]:starts[4]] + der[starts[5]:end]
tbs = bytes([0x30, 0x82]) + len(tbs).to_bytes(2, 'big') + tbs
open('tbs', 'wb').write(tbs)
signature = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', 'int.key', 'tbs'], check=True,
                           capture_output=True).stdout
algorithm = der[end:element(der, end)[1]]
body = tbs + algorithm + b'\x03' + bytes([len(signature) + 1]) + b'\0' + signature
open('undated.der', 'wb').write(b'\x30\x82' + len(body).to_bytes(2, 'big') + body)
PYTHON

#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# tls-matrix.sh FOLDER - makes an authority, an intermediate one, and certificates with every fault there is, under FOLDER.
# Needs openssl and faketime.
set -e
cd "$1"
ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
ec leaf.key # most certificates share it
openssl genrsa -out rsa1024.key 1024 2>/dev/null
openssl genrsa -out rsa2048.key 2048 2>/dev/null
openssl genpkey -algorithm ed25519 -out ed25519.key
ec own.key
ec int.key
ec old-int.key

# authority NAME SUBJECT: signed by itself
authority() {
    faketime '2020-01-01 00:00:00' openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 9999 -out "$1.crt" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign
}
ec ca.key
authority ca 'Test Root'
ec other.key
authority other 'Other Root'

# issue NAME SUBJECT DAYS KEY SIGNER WHEN EXTENSIONS [OPTIONS of x509]
issue() {
    local name=$1 subject=$2 days=$3 key=$4 signer=$5 when=$6 extensions=$7
    shift 7
    openssl req -new -key "$key.key" -subj "/CN=$subject" -out "$name.csr"
    faketime "$when" openssl x509 -req -in "$name.csr" -CA "$signer.crt" -CAkey "$signer.key" \
        -set_serial "0x$(printf %s "$name" | od -An -tx1 | tr -d ' \n')" -days "$days" -out "$name.crt" \
        -extfile <(printf '%b\n' "$extensions") "$@" 2>/dev/null
}
is_ca='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign'
issue int 'Test Intermediate' 3000 int ca '-1 day' "$is_ca"
issue old-int 'Old Intermediate' 30 old-int ca '-60 days' "$is_ca"
openssl ecparam -name secp384r1 -genkey -noout -out p384.key
openssl genrsa -out rsa1536.key 1536 2>/dev/null
ec narrow-int.key
issue narrow-int 'Narrow Intermediate' 300 narrow-int ca '-1 day' "$is_ca\nnameConstraints=critical,permitted;DNS:example.test"
issue soon-int 'Soon Intermediate' 10 old-int ca '-1 day' "$is_ca"
cp old-int.key soon-int.key
san='subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
leaf() { # NAME DAYS WHEN [KEY] [SIGNER] [EXTENSIONS] [OPTIONS]
    local name=$1 days=$2 when=$3 key=${4:-leaf} signer=${5:-int} extensions=${6:-$san}
    shift $(($# < 6 ? $# : 6))
    issue "$name" localhost "$days" "$key" "$signer" "$when" "$extensions" "$@"
    cp "$key.key" "$name.key" 2>/dev/null || true
    cat "$name.crt" "$signer.crt" > "$name.chain"
}
leaf good 365 '-1 day'
leaf days20 365 '-345 days'
leaf days5 365 '-360 days'
leaf sixdays 6 '-1 day'
leaf sixdays-late 6 '-5 days'
leaf ninety-late 90 '-80 days'
leaf expired 30 '-40 days'
leaf future 30 '+10 days'
leaf wrong-host 365 '-1 day' leaf int 'subjectAltName=DNS:other.example,DNS:*.other.example'
leaf wildcard 365 '-1 day' leaf int 'subjectAltName=DNS:*.example.test'
leaf idn 365 '-1 day' leaf int 'subjectAltName=DNS:xn--bcher-kva.example'
leaf no-san 365 '-1 day' leaf int 'basicConstraints=CA:FALSE'
leaf many-names 365 '-1 day' leaf int 'subjectAltName=DNS:a.test,DNS:b.test,DNS:c.test,DNS:d.test,DNS:e.test,DNS:f.test'
leaf sha1 365 '-1 day' leaf int "$san" -sha1
leaf rsa1024 365 '-1 day' rsa1024
leaf rsa2048 365 '-1 day' rsa2048
leaf ed25519 365 '-1 day' ed25519
leaf client-only 365 '-1 day' leaf int "$san\nextendedKeyUsage=clientAuth"
issue under-leaf below 365 leaf good '-1 day' "$san"
cp leaf.key under-leaf.key
cat under-leaf.crt good.crt int.crt > under-leaf.chain
leaf old-chain 365 '-1 day' leaf old-int
leaf soon-chain 365 '-1 day' leaf soon-int
leaf private 365 '-1 day' leaf other
leaf revoked 365 '-1 day'
leaf must-staple 365 '-1 day' leaf int "$san\ntlsfeature=status_request"
leaf other-feature 365 '-1 day' leaf int "$san\ntlsfeature=16"
leaf p384 365 '-1 day' p384
leaf weak-rsa 365 '-1 day' rsa1536
leaf ip-only 365 '-1 day' leaf int 'subjectAltName=IP:127.0.0.1,IP:::1'
leaf not-ip 365 '-1 day' leaf int 'subjectAltName=DNS:127.0.0.1'
leaf half-star 365 '-1 day' leaf int 'subjectAltName=DNS:loc*.example.test'
leaf narrow 365 '-1 day' leaf narrow-int
leaf forty-seven 47 '-40 days'
cp good.crt incomplete.chain
cp good.key incomplete.key
cat good.crt int.crt ca.crt > with-root.chain
cp good.key with-root.key
cat good.crt old-int.crt int.crt > extra.chain
cp good.key extra.key
cat good.crt other.crt > wrong-chain.chain
cp good.key wrong-chain.key
openssl req -x509 -new -key own.key -subj /CN=localhost -addext "$san" -days 365 -out self.crt
cp self.crt self.chain
cp own.key self.key

openssl genpkey -genparam -algorithm DH -pkeyopt group:modp_1536 -out dh1536.pem

# what is sent after the leaf
for name in *.chain; do
    sed '1,/^-----END/d' "$name" > "${name%.chain}.rest"
done

# revocation: a list and OCSP responses of the intermediate authority
serial() { openssl x509 -in "$1.crt" -noout -serial | cut -d= -f2; }
end() { openssl x509 -in "$1.crt" -noout -enddate | cut -d= -f2 | date -u -f - +%y%m%d%H%M%SZ; }
line() { printf '%s\t%s\t%s\t%s\tunknown\t/CN=%s\n' "$1" "$2" "$3" "$4" "$4"; }
{
    line V "$(end good)" '' "$(serial good)"
    line R "$(end revoked)" "$(date -u -d '-1 hour' +%y%m%d%H%M%SZ),keyCompromise" "$(serial revoked)"
    line V "$(end must-staple)" '' "$(serial must-staple)"
} > index.txt
printf '01\n' > crlnumber
printf '[ca]\ndefault_ca=x\n[x]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\n' > ca.conf
for signer in int other; do
    openssl ca -config ca.conf -gencrl -keyfile $signer.key -cert $signer.crt -crldays 30 -out $signer.crl 2>/dev/null
done
# staple NAME CERTIFICATE [COMMAND...]
staple() {
    local name=$1 certificate=$2
    shift 2
    openssl ocsp -issuer int.crt -cert "$certificate.crt" -reqout request.der -no_nonce 2>/dev/null
    "$@" openssl ocsp -index index.txt -rsigner int.crt -rkey int.key -CA int.crt -reqin request.der \
        -respout "$name.ocsp" -ndays 3 >/dev/null 2>&1
}
staple good good
staple revoked revoked
staple must-staple must-staple
staple stale-must must-staple faketime '-20 days'
staple stale good faketime '-20 days'
head -c 40 good.ocsp > garbage.ocsp
printf '\x30\x03\x0a\x01\x03' > unanswered.ocsp

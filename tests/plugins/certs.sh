#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# certs.sh FOLDER - makes ca.pem and the certificates (with their keys) that peer.py serves. Those that are out of time
# need faketime; without it they are missing.
set -e
cd "$1"
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
new_key ca.key
openssl req -x509 -new -key ca.key -subj "/CN=Test CA" -days 9999 -out ca.pem \
    -addext basicConstraints=critical,CA:TRUE 2>/dev/null

# issue NAME HOST DAYS [COMMAND...]: COMMAND runs the signing at another time
issue() {
    local name=$1 host=$2 days=$3
    shift 3
    new_key "$name.key"
    openssl req -new -key "$name.key" -subj "/CN=$host" -out "$name.csr"
    "$@" openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -out "$name.crt" \
        -extfile <(printf 'subjectAltName=DNS:%s' "$host") 2>/dev/null
    cat "$name.crt" "$name.key" > "$name.pem"
}
issue good localhost 100
issue soon localhost 3
issue wrong-host other.example 100
new_key self.key
openssl req -x509 -new -key self.key -subj "/CN=localhost" -addext subjectAltName=DNS:localhost -days 100 -out self.crt
cat self.crt self.key > self-signed.pem
if command -v faketime > /dev/null; then
    # the authority's own certificate starts today, so the past needs one of its own time
    issue not-yet localhost 10 faketime '+20 days'
    issue expired localhost 1 faketime '-10 days'
fi

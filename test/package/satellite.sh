#!/bin/sh
# Runs the program with the Node.js beside it, whatever the machine has. May be linked to from elsewhere.
here=$(dirname -- "$(readlink -f -- "$0")") || exit 70
export NODE_ENV=production
# Of the 256 MiB of the service, 128 are for objects of JavaScript; buffers, SQLite, threads and Node.js need the rest.
exec "$here/bin/node" --max-old-space-size=128 "$here/dist/main.js" "$@"

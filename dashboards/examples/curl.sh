#!/bin/sh
# What curl gets from a server: lists, newest values, the past, bars, feeds, and five seconds of an event stream.
#   sh curl.sh http://127.0.0.1:8425
# With a token: TOKEN=… sh curl.sh https://ticks.example.org:8443
set -eu
url=${1:-http://127.0.0.1:8425}

get() {
  echo "GET $1"
  curl -sS --fail-with-body ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$url$1"
  echo
}

get '/v1/feeds'
get '/v1/topics?match=sim.*'
get '/v1/topics/sim.AAPL?wait=25'
get '/v1/values?topics=sim.*'
get '/v1/topics/sim.AAPL/history?limit=3'
get '/v1/topics/sim.AAPL/bars?period=1m&limit=60'
echo 'GET /v1/sse?topics=sim.*&rate=1s'
# Code 28: the time is over.
curl -sSN --max-time 5 ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$url/v1/sse?topics=sim.*&rate=1s" || [ $? -eq 28 ]

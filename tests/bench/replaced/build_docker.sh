#!/bin/bash
# What build_docker.sh did, written anew from its description for `inv bench`. It stands in the framework's checkout.
# Only --network host is added to its builds: the bench's private engine has no bridge.

REPOSITORY=colorai/cauchycv_visdom
BASE=colorai/cauchycv_base
VENDOR=ColorAI
PROJECT=cauchycv_visdom
PORT=8339

DATE=$(date -u +"%Y-%m-%dT%H:%M:%SZ")
VERSION=$(git describe --tags --always)
URL=$(git config --get remote.origin.url)
COMMIT=$(git rev-parse --short HEAD)
BRANCH=$(git rev-parse --abbrev-ref HEAD)
TAG="0.2.$(git rev-list --count HEAD)"

if [ ! -d external ]; then
  git clone git@gitee.com:colorai/sig_cauchy_external.git external
fi

if [ -z "$(docker images -q $BASE:latest)" ]; then
  docker build --network host -t $BASE:latest -f Dockerfile.base .
fi

docker build --network host \
  --build-arg REPOSITORY="$REPOSITORY" \
  --build-arg TAG="$TAG" \
  --build-arg DATE="$DATE" \
  --build-arg VERSION="$VERSION" \
  --build-arg URL="$URL" \
  --build-arg COMMIT="$COMMIT" \
  --build-arg BRANCH="$BRANCH" \
  --build-arg VENDOR="$VENDOR" \
  --build-arg PROJECT="$PROJECT" \
  --build-arg PORT="$PORT" \
  -t "$REPOSITORY:$TAG" -f Dockerfile .

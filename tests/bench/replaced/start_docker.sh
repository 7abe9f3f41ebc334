#!/bin/bash
# What start_docker.sh did, written anew from its description for `inv bench`.

NAME=colorai/cauchycv_visdom

images=($(docker images --filter "label=org.label-schema.name=$NAME" --format "{{.Repository}}:{{.Tag}}"))
if [ ${#images[@]} -eq 0 ]; then
  echo "There is no image of $NAME. Run build_docker.sh first."
  exit
fi

image=${images[0]}
if [ ${#images[@]} -gt 1 ]; then
  for i in "${!images[@]}"; do
    echo "$((i + 1))) ${images[$i]}"
  done
  read -p "Which version? " choice
  image=${images[$((choice - 1))]}
fi

if [ -n "$(docker ps -q --filter "ancestor=$image")" ]; then
  echo "$image is already running."
  exit
fi

containers=($(docker ps -q --filter "name=cauchy_service"))
for c in $containers; do
  docker stop $c
done

docker inspect --format "{{json .ContainerConfig.Labels}}" "$image" | python -m json.tool
cmd=$(docker inspect --format '{{index .ContainerConfig.Labels "org.label-schema.docker.cmd"}}' "$image")
$cmd

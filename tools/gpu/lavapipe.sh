#!/usr/bin/env bash
# lavapipe.sh FOLDER: puts a Vulkan driver that computes on the CPU (Mesa 25 of bookworm-backports) into FOLDER, without touching the
# system's Mesa or its list of sources. Prints the path of its icd file. Debian 12 or newer, as root.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
icd="$folder/lvp_icd.json"
[ -f "$icd" ] && { echo "$icd"; exit 0; }
{
  export DEBIAN_FRONTEND=noninteractive
  # What the driver links to comes with the system's own package.
  dpkg -s libllvm15 libvulkan1 libwayland-client0 > /dev/null 2>&1 ||
    { apt-get update -qq; apt-get install -y -qq --no-install-recommends libvulkan1 mesa-vulkan-drivers; }
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1)
  mkdir -p "$folder"/{lists/partial,archives/partial,root}
  echo "deb $mirror bookworm-backports main" > "$folder/sources.list"
  apt=(apt-get -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$folder/lists"
    -o Dir::Cache::archives="$folder/archives" -o APT::Sandbox::User=root)
  "${apt[@]}" update -qq
  (cd "$folder" && "${apt[@]}" download mesa-vulkan-drivers/bookworm-backports && dpkg-deb -x mesa-vulkan-drivers_*.deb root)
  library=$(find "$folder/root" -name libvulkan_lvp.so | head -n 1)
  rm -rf "$folder/lists" "$folder/archives" "$folder"/*.deb
} >&2
printf '{"file_format_version":"1.0.0","ICD":{"api_version":"1.4.305","library_path":"%s"}}\n' "$library" > "$icd"
echo "$icd"

#!/usr/bin/env bash
# A Slurm of one node for tests: this machine, with two GPUs that are none. As root, on a machine without a Slurm:
#
#   apt-get install --no-install-recommends munge slurmctld slurmd slurm-client
#   tests/slurm/one_node.sh up [FOLDER]
#   tests/slurm/one_node.sh down [FOLDER]
#
# All its files lie in FOLDER. Nothing is written to /etc/slurm: slurmd takes its configuration from slurmctld
# ("configless") and keeps it in /run/slurm, where commands find it without SLURM_CONF, which jobs do not inherit.
set -euo pipefail

command=${1:-}
folder=$(realpath -m "${2:-/tmp/one-node-slurm}")
node=$(hostname -s)

fail() {
  echo "error: $*" >&2
  exit 1
}

write_configuration() {
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/^MemTotal/ {print int($2 / 1024) - 512}' /proc/meminfo)
  for gpu in 0 1; do # Slurm wants device files; these are like /dev/null
    [ -e "$folder/gpu$gpu" ] || mknod "$folder/gpu$gpu" c 1 3
  done
  echo "NodeName=$node Name=gpu Type=none File=$folder/gpu[0-1]" >"$folder/gres.conf"
  cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldParameters=enable_configless
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
MinJobAge=86400
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:none:2
PartitionName=cpu Nodes=$node Default=YES MaxTime=UNLIMITED
PartitionName=gpu Nodes=$node MaxTime=UNLIMITED
CONF
}

# At its usual socket: slurmd asks for its configuration before it can know another.
start_munge() {
  if ! munge --no-input 2>/dev/null | unmunge >/dev/null 2>&1; then
    mkdir -p "$folder/munge" /run/munge
    chown munge: "$folder/munge" /run/munge
    runuser -u munge -- mungekey --create --keyfile "$folder/munge/key"
    runuser -u munge -- munged --key-file "$folder/munge/key" --pid-file "$folder/munge/munged.pid" \
      --log-file "$folder/munge/log" --seed-file "$folder/munge/seed"
  fi
}

up() {
  for name in munged slurmctld slurmd sinfo; do
    PATH=$PATH:/usr/sbin command -v "$name" >/dev/null || fail "$name is not there. Install it, as this file says."
  done
  [ "$(id -u)" = 0 ] || fail "slurmd starts as root alone"
  for path in /etc/slurm/slurm.conf /run/slurm/conf; do
    [ ! -e "$path" ] || fail "$path is there: this machine has a Slurm already"
  done
  mkdir -p "$folder/state" "$folder/spool"
  write_configuration
  start_munge
  slurmctld -f "$folder/slurm.conf"
  slurmd --conf-server 127.0.0.1 -N "$node"
  for _ in $(seq 50); do
    sinfo --noheader --format %t 2>/dev/null | grep -q '^idle' && exec sinfo --format '%P %t %c %m %G'
    sleep 0.2
  done
  fail "no idle node; see $folder/*.log"
}

stop() { # PID_FILE: and wait until it wrote its last
  local pid
  [ -s "$1" ] || return 0
  pid=$(cat "$1")
  kill "$pid" || return 0
  for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  fail "process $pid of $1 does not end"
}

down() {
  stop "$folder/slurmd.pid"
  stop "$folder/slurmctld.pid"
  stop "$folder/munge/munged.pid"
  rm -rf "$folder" /run/slurm/conf
}

case $command in
up | down) PATH=$PATH:/usr/sbin "$command" ;;
*) fail "one_node.sh up|down [FOLDER]" ;;
esac

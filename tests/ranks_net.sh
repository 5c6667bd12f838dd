#!/bin/sh
# Two hosts and a wire: network namespaces joined by a veth pair, a rank of mpirun in each, TCP between them.
# The same bytes as one process; with the wire cut in the middle of a run all processes of both hosts end,
# with a sentence, and what is on disk is resumed from to the uninterrupted bytes. For builds with MPI=1. Exit
# status 77: this place makes no namespaces.
. tests/few.sh
a=dale-$$-a b=dale-$$-b
take_down() {
  for host in $a $b; do
    ip netns pids $host 2>/dev/null | xargs -r kill -9
    ip netns del $host 2>/dev/null
  done
}
trap 'take_down; tidy' EXIT
trap 'exit 1' INT TERM
{ ip netns add $a && ip netns add $b && ip link add wire netns $a type veth peer name wire netns $b &&
    unshare -u true; } 2>/dev/null || exit 77
number=0
for host in $a $b; do
  number=$((number + 1))
  ip -n $host addr add 10.77.0.$number/24 dev wire && ip -n $host link set lo up &&
    ip -n $host link set wire up || exit 77
done

# What mpirun starts a host's daemon with, in ssh's place. Open MPI knows hosts by name.
cat >"$work/agent" <<SCRIPT
shift
exec ip netns exec $b unshare -u sh -c "hostname $b && exec \$*"
SCRIPT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_plm_rsh_agent="sh $work/agent" OMPI_MCA_btl=self,tcp
export OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_oob_tcp_if_include=10.77.0.0/24
# A host that does not answer is given up after 2 + 3 s; Open MPI's own choice is 300 + 9 · 20 s.
export OMPI_MCA_oob_tcp_keepalive_time=2 OMPI_MCA_oob_tcp_keepalive_intvl=1 \
  OMPI_MCA_oob_tcp_keepalive_probes=3
cat >"$work/start" <<SCRIPT
hostname $a
exec mpirun --host 10.77.0.1:1,10.77.0.2:1 "\$@"
SCRIPT
hosts="timeout 120 ip netns exec $a unshare -u sh $work/start"
$hosts sh -c 'ip -o addr show wire' >"$work/out" 2>"$work/err" || fail 'mpirun on two hosts'
[ "$(grep -c 'inet 10.77.0.[12]/24' "$work/out")" = 2 ] || fail 'the ranks are not on two hosts'

run='train --batch 16 --seed 3 --width 8 --process ve --shards 4 --threads 1 --checkpoint-every 20'
does $run --steps 300 --out "$work/one"
does $run --steps 10 --out "$work/short"
under "$hosts" 0 '' $run --steps 10 --out "$work/short-2"
same short/model.safetensors short-2/model.safetensors

for cut in $a $b; do  # by whom; one process goes on from the first cut, two hosts from the second
  $hosts "$dale" $run --steps 300 --out "$work/$cut" >"$work/out" 2>"$work/err" & pid=$!
  waited=0
  until ls "$work/$cut"/checkpoint-*.safetensors >/dev/null 2>&1 || [ $waited -eq 600 ]; do
    sleep 0.1
    waited=$((waited + 1))
  done
  ip -n $cut link set wire down
  start=$(date +%s)
  wait $pid
  status=$? took=$(($(date +%s) - start))
  case $status in 0 | 124 | 137) fail "cut off: status $status after $took s" ;; esac
  [ $took -le 30 ] || fail "cut off: ended after $took s"
  says 'lost communication with a remote daemon'
  waited=0
  while [ -n "$(ip netns pids $a; ip netns pids $b)" ] && [ $waited -lt 30 ]; do
    sleep 1
    waited=$((waited + 1))
  done
  [ $waited -lt 30 ] || fail "processes go on: $(ip netns pids $a; ip netns pids $b)"
  [ ! -e "$work/$cut/model.safetensors" ] || fail 'the run ended before the cut'
  ls "$work/$cut"/checkpoint-*.safetensors >/dev/null 2>&1 || fail 'no checkpoint is left'
  [ -z "$(ls -a "$work/$cut" | grep '\.tmp$')" ] || fail 'a file is half-written'
  for host in $a $b; do ip -n $host link set wire up; done
  resumed_on=
  [ $cut = $a ] || resumed_on=$hosts
  under "$resumed_on" 0 '' $run --steps 300 --resume --out "$work/$cut"
  same one/model.safetensors $cut/model.safetensors
  [ "$(figures one)" = "$(figures $cut)" ] || fail 'metrics.csv differs'
done

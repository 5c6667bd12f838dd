#!/bin/sh
# A fuzzer over the command line: commands with options of their own help and values that nobody would give.
# Each must end by itself or after SIGTERM, with status 0, 1, 2 or 143, and what fails says so in one sentence
# of "dale: …". OPTIONS is how many (60), SEED where the choices begin.
. tests/few.sh
does train --steps 2 --batch 8 --width 8 --out "$work/run"
does sample --checkpoint "$work/run/model.safetensors" --steps 2 --count 9 --out "$work/s"
cd "$work" || exit 1
: >empty
mkdir -p folder

# Lines of "command option…", a line per try: awk draws from the options that --help lists.
for command in train train-classifier sample evaluate compare study likelihood data info; do
  "$dale" $command --help | grep -oE '^ +--[a-z-]+ ?[A-Z]*' | sed "s/^ */$command /"
done | awk -v n="${OPTIONS:-60}" -v seed="${SEED:-1}" '
  { if (!($1 in count)) commands[++known] = $1; options[$1, ++count[$1]] = $2; valued[$1, $2] = NF > 2 }
  function any(list,  parts) { return parts[1 + int(rand() * split(list, parts, " "))] }
  END {
    srand(seed)
    numbers = "0 1 2 7 -1 1e9 1e-9 1e400 nan inf -inf 9223372036854775808 0x10 3.5"
    files = "x empty folder run s none/deep /dev/null s/samples.npy run/model.safetensors --steps"
    names = "gbm ve vp gbm-paper cosine exact cpu cuda tf32 eta ddim unconstrained smoke fashion-mnist mnist"
    for (i = 0; i < n; ++i) {
      c = commands[1 + int(rand() * known)]
      line = c
      for (k = int(rand() * 5); k >= 0; --k) {
        o = options[c, 1 + int(rand() * count[c])]
        if (index(line " ", " " o " ") || o == "--out" || o == "--fetch" || o == "--mirror") continue
        line = line " " o
        if (valued[c, o])
          line = line " " any(numbers " " files " " names)
      }
      if (c == "study") line = line " " any("exact prior spirals synapses x")
      if (c == "sample" && rand() < 0.7 || c == "likelihood")
        line = line " --checkpoint run/model.safetensors"
      if (c !~ /^(data|info|likelihood)$/ && rand() < 0.9) line = line " --out out" int(rand() * 9)
      print line
    }
  }' >tries
while read -r line; do
  timeout -k 20 -s TERM 3 "$dale" $line >out 2>err </dev/null
  status=$?
  case $status in
    0 | 124 | 143) continue ;;  # timeout says 124 for what ended after its signal
    1 | 2) [ "$(grep -cE '^dale: .' err)" = 1 ] && continue ;;
  esac
  fail "status $status of: dale $line"
done <tries

# dale: make help says what there is. Everything made goes to build/ (build64/ for the double build) and
# results/.

MAKEFLAGS += --no-print-directory
VERSION  := $(shell sed -n 's/.*version = "\(.*\)".*/\1/p' tensor/version.h)
CXX      ?= g++
OBJCOPY  ?= objcopy
REAL     ?= float
# MPI=1: many processes that train or sample together (experiments/run/ranks.h), by Open MPI.
MPI      ?= 0
MPICXX   ?= mpicxx
BUILD    ?= build$(if $(filter double,$(REAL)),64)$(if $(filter 1,$(MPI)),-mpi)
PREFIX   ?= /usr/local
CUDA_ARCHS ?= 80 90
NVCC     ?= $(shell command -v nvcc)
# C++20 and parameters of kernels beyond 4 KB need its 12.1.
NVCC_NEW := $(if $(NVCC),$(shell $(NVCC) --version | awk -F'release ' '/release/ {split($$2, v, "[.,]"); \
              print (100 * v[1] + v[2] >= 1201)}'))
CUDA     ?= $(or $(NVCC_NEW),0)
ifeq ($(CUDA)$(NVCC_NEW),10)
  $(error CUDA=1 needs nvcc 12.1, and $(NVCC) is older: update the CUDA Toolkit, or build with CUDA=0)
endif

# The CPU kernels are compiled once a level of vector instructions, and the first use picks the highest that
# the processor has (tensor/cpu/level.cpp).
LEVELS   ?= $(if $(filter x86_64,$(shell uname -m)),v4 v3 v2,generic)
march     = $(if $(filter-out generic,$(1)),-march=x86-64-$(1) -mprefer-vector-width=512)

# fmt 9 warns under g++ 12 at -O3, so only the kernels are built so. Nothing is contracted to fused
# multiply-adds: every machine and both compilers then round the formulas of tensor/functions.h alike.
DOUBLE   := $(if $(filter double,$(REAL)),-DDALE_DOUBLE)
COMMON   := -std=c++20 -Wall -Wextra -I. -MMD -MP -ffp-contract=off $(DOUBLE) $(EXTRA)
NVCC_LANGUAGE := -std=c++20 -O3 -fmad=false --expt-relaxed-constexpr -I. $(DOUBLE)
CXXFLAGS ?= -O2
KERNELS  ?= -O3 -fno-math-errno -fno-trapping-math
LDLIBS   := -lz -lfmt -ldl -pthread
APPLIBS  := -lcurl -lcrypto
# Catch2 3 is a library, Catch2 2 a header; asked when it is linked, for make deps may only just have
# installed it.
CATCH     = $(shell pkg-config --silence-errors --libs catch2-with-main)

PACKAGES := libopenblas0 libfmt-dev libstb-dev catch2 zlib1g-dev nlohmann-json3-dev libcli11-dev \
            libbenchmark-dev libcurl4-openssl-dev libssl-dev pkg-config dataset-fashion-mnist

ifeq ($(MPI),1)
  PACKAGES += libopenmpi-dev openmpi-bin
  MPIFLAGS = -DDALE_MPI -DOMPI_SKIP_MPICXX $(shell $(MPICXX) --showme:compile)
  APPLIBS += $(shell $(MPICXX) --showme:link)
endif

ONCE     := $(addprefix tensor/cpu/,blas.cpp level.cpp parallel.cpp)
LEVELLED := $(filter-out $(ONCE),$(wildcard tensor/cpu/*.cpp))
# A folder is compiled as one unit, because the headers it stands on take longer than its own files: autograd/
# 6 s and not 22. Files that are compiled with options of their own, or where nothing else will do, are not of
# the unit.
CHAPTERS := tensor autograd nn diffusion
LIBRARY  := tensor/cpu/level.cpp nn/checkpoint.cpp
ROOMS    := $(addprefix experiments/,run judge compare data page pictures)
PROGRAM  := experiments/info.cpp experiments/sources.cpp experiments/judge/metrics.cpp \
            experiments/run/ranks.cpp $(wildcard experiments/studies/*.cpp)
# TAGS='[threads],[conv]' compiles and runs the test cases of these tags alone, in a program of its own.
CHECK    := $(BUILD)/check$(if $(TAGS),-some)
comma    := ,
TESTS    := $(if $(TAGS),$(shell grep -LF TEST_CASE tests/*.cpp; grep -lF \
              $(foreach tag,$(subst $(comma), ,$(TAGS)),-e '$(tag)') tests/*.cpp),$(wildcard tests/*.cpp))
BENCH    := $(filter-out %/ranks.cpp,$(wildcard experiments/bench/*.cpp))
ifeq ($(CUDA),1)
  CUDA_HOME ?= $(patsubst %/bin/,%,$(dir $(realpath $(NVCC))))
  CUDA_OBJECTS := $(patsubst %.cu,$(BUILD)/%.cu.o,$(wildcard tensor/cuda/*.cu))
  NVCCFLAGS := $(NVCC_LANGUAGE) -Xcompiler -Wall,-Wextra -MMD -MP \
               $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
               -gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))
  LDLIBS += -L$(CUDA_HOME)/lib64 -Wl,-rpath,$(CUDA_HOME)/lib64 -lcudart_static -lrt
else
  LIBRARY += tensor/cuda/absent.cpp
endif

# The CUDA machine once more, for the tests, compiled by the host's compiler: its kernels run on the CPU.
EMULATED  = $(patsubst tensor/cuda/%.cu,$(BUILD)/emulated/%.o,$(wildcard tensor/cuda/*.cu)) \
            $(call object,$(wildcard tests/emulated/*_test.cpp))
EMULATE  ?= 1

object    = $(patsubst %.cpp,$(BUILD)/%.o,$(1))
# Of one level alone the kernels need not hide from those of another.
LEVELLED_OBJECTS := $(if $(word 2,$(LEVELS)),$(LEVELS:%=$(BUILD)/cpu-%.o), \
                      $(patsubst tensor/cpu/%.cpp,$(BUILD)/$(LEVELS)/%.o,$(LEVELLED)))
OBJECTS  := $(CHAPTERS:%=$(BUILD)/%/unit.o) $(call object,$(LIBRARY)) $(LEVELLED_OBJECTS) $(CUDA_OBJECTS)
COMMAND  := $(BUILD)/experiments/unit.o
APP      := $(ROOMS:%=$(BUILD)/%/unit.o) $(call object,$(PROGRAM))

.PHONY: all test test64 asan tsan check-arm run-tests format experiments bench bench-peer bench-ranks \
        run-bench-ranks cuda-report prove-cuda page test-page run-test-page book deps install clean help \
        always
.DELETE_ON_ERROR:

all: $(BUILD)/libdale.a $(BUILD)/dale

test: deps ; @$(MAKE) run-tests
test64: deps ; @$(MAKE) run-tests REAL=double
# The tests under the sanitizers: of addresses and undefined behaviour, and of threads. The three checks for
# null are left out, because with them g++ takes no function's address for a constant and refuses a machine's
# table; the first access through a null pointer ends the program all the same. g++ 12 warns of uninitialised
# members of std::function only under the sanitizers.
SANITIZED = ASAN_OPTIONS=allocator_may_return_null=1 $(MAKE) run-tests CUDA=0 EMULATE=0 \
            CXXFLAGS=-O1 LEVELS=$(lastword $(LEVELS)) KERNELS='-O1 -fno-math-errno -fno-trapping-math'
ADDRESSES := -fsanitize=address,undefined -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute \
             -fno-sanitize-recover=all
asan: deps ; +@$(SANITIZED) BUILD=build-asan EXTRA='-g1 -Wno-maybe-uninitialized $(ADDRESSES)'
tsan: deps ; +@$(SANITIZED) BUILD=build-tsan EXTRA='-g1 -Wno-maybe-uninitialized -fsanitize=thread'
run-tests: $(CHECK) $(if $(TAGS),,$(BUILD)/dale $(if $(filter 1,$(EMULATE)),$(BUILD)/check-emulated))
	@DEVICE=$(DEVICE) TAGS='$(TAGS)' tests/run.sh $(BUILD)
# 64-bit Arm, cross-compiled and emulated (tests/arm.sh), with the libraries of these packages.
check-arm: PACKAGES += g++-aarch64-linux-gnu qemu-user
check-arm: deps
	+@MAKE='$(MAKE)' tests/arm.sh \
	  $(filter lib%-dev zlib%,$(filter-out libbenchmark% libstb% libcli11%,$(PACKAGES)))

# As .clang-format says, by the version whose layout tests/lines.sh compares.
format: ; git ls-files '*.h' '*.cpp' '*.cu' '*.js' | xargs clang-format-14 -i

# A profile's results have a folder of their own. SEEDS models are trained of each kind that claims rest on.
PROFILE  ?= quick
SEEDS    ?= 1
experiments: deps
	@$(MAKE) -j$(shell nproc) all
	$(BUILD)/dale compare --profile $(PROFILE) --training-seeds $(SEEDS) \
	  --out results$(if $(filter-out quick,$(PROFILE)),/$(PROFILE))

bench: deps
	@$(MAKE) $(BUILD)/benchmark
	$(BUILD)/benchmark
	@for p in python3 /usr/bin/python3; do $$p -c 'import torch' 2>/dev/null || continue; \
	  for last in '' 'y.backward()'; do \
	    echo "PyTorch's small_ops, a thousand multiplications of scalars$${last:+, and $$last}:"; \
	    $$p -m timeit -u msec -s 'import gc, torch; gc.enable(); torch.set_num_threads(1)' \
	      -s 'x, c = torch.ones((), requires_grad=True), torch.ones(())' \
	      'y = x' 'for _ in range(1000): y = y * c' "$$last"; done; exit; done; \
	echo "PyTorch is not here: no figure of its to compare with"

# What a step would take at many ranks: measured between processes here, and modelled (bench/ranks.cpp).
bench-ranks:
	+@$(MAKE) MPI=1 deps
	+@$(MAKE) MPI=1 run-bench-ranks
MPIRUN   := OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -q --oversubscribe
run-bench-ranks: $(BUILD)/bench-ranks
	@for n in 2 4; do $(MPIRUN) -n $$n --mca btl self,vader $< exchange 'shared memory'; \
	  $(MPIRUN) -n $$n --mca btl self,tcp $< exchange 'TCP over loopback'; done | tee $(BUILD)/exchange.txt
	@for n in 1 2; do $(MPIRUN) -n $$n $< steps; done
	@$< model "$$(sed -n 's/.*2 ranks, TCP.*: \([0-9.]*\) us.*/\1/p' $(BUILD)/exchange.txt)"

# PEER is a virtual environment with PyTorch, made when there is none.
PEER ?= $(BUILD)/peer
bench-peer: deps
	@$(MAKE) $(BUILD)/benchmark
	python3 experiments/bench/peer.py $(BUILD)/benchmark --peer $(PEER) --out results \
	  $(DEVICE:%=--device %)

# The page where one tries it (experiments/browser): the library by emscripten, for one level of vectors and
# one thread, with the models that are shipped. The headers linked serve host and browser alike, those beside
# them do not. NODE_PATH is where Debian has node's packages, for another node.
PAGE     := results/dale.html
page:
	+@$(MAKE) deps PACKAGES='$(PAGE_PACKAGES)'
	@mkdir -p build-page/include && cd build-page/include && \
	  ln -sf $(addprefix /usr/include/,fmt nlohmann stb zlib.h zconf.h) .
	+@NODE_PATH=/usr/share/nodejs $(MAKE) $(PAGE) BUILD=build-page CXX=em++ CUDA=0 \
	  REAL=float MPI=0 LEVELS=generic EXTRA='$(PAGE_FLAGS)'
	@ls -l $(PAGE)
PAGE_FLAGS    := -msimd128 -fexceptions -ffunction-sections -DFMT_HEADER_ONLY -Wno-pass-failed \
                 -isystem build-page/include -include experiments/browser/lacking.h
PAGE_PACKAGES := emscripten nodejs node-acorn libfmt-dev libstb-dev zlib1g-dev nlohmann-json3-dev
PAGE_SOURCES  := $(addprefix experiments/,browser/sampler.cpp data/dataset.cpp data/own.cpp \
                   $(addprefix run/,folder.cpp model.cpp ranks.cpp sample.cpp samples.cpp))
$(BUILD)/sampler.js: $(call object,$(PAGE_SOURCES)) $(OBJECTS)
	$(CXX) $(EXTRA) -O2 -sALLOW_MEMORY_GROWTH=1 -sTOTAL_STACK=5242880 -sFORCE_FILESYSTEM=1 -sMODULARIZE=1 \
	  -sEXPORT_NAME=dale -sENVIRONMENT=worker -sDYNAMIC_EXECUTION=0 -sEXPORTED_RUNTIME_METHODS=ccall,FS -o $@ $^
PAGE_MODELS   := $(filter-out experiments/pretrained/classifier-%, \
                   $(wildcard experiments/pretrained/*.safetensors))
$(PAGE): $(BUILD)/sampler.js $(wildcard experiments/browser/*) $(PAGE_MODELS)
	@mkdir -p $(@D)
	node experiments/browser/assemble.js $< $(<:.js=.wasm) $(PAGE_MODELS) >$@

# What the assembler says of each kernel, without a device (tests/cuda_report.sh).
cuda-report: ; @tests/cuda_report.sh '$(if $(NVCC_NEW),$(NVCC))' '$(CUDA_ARCHS)' $(NVCC_LANGUAGE)

# What a device is to prove, or says that it needs one (tests/prove_cuda.sh).
prove-cuda: deps
	+@$(MAKE) -j$(shell nproc) all $(BUILD)/benchmark \
	  $(CHECK) $(BUILD)/check-emulated $(BUILD)/check-uncached
	@for part in 1 2; do tests/prove_cuda.sh $$part results/cuda $(BUILD) || status=1; done; exit $$status

book:
	+@$(MAKE) deps PACKAGES=pandoc
	@mkdir -p results && docs/book.sh results/book.html && ls -l results/book.html

CHROMIUM  = $(firstword $(shell command -v chromium chromium-browser google-chrome))
test-page: page
	+@$(MAKE) deps PACKAGES='$(PACKAGES) chromium'
	+@$(MAKE) run-test-page
run-test-page: $(BUILD)/dale $(BUILD)/numbers
	node tests/page/test.js $^ $(PAGE) $(CHROMIUM) $(BUILD)/page

# Installs what is missing and nothing else; with everything there, apt is not asked.
deps:
	@missing=; for p in $(PACKAGES); do \
	  dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || \
	    missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
	  else echo "missing packages; run: sudo apt-get install$$missing" >&2; exit 1; fi; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq $$missing; fi

# The library is made anew when CUDA comes or goes.
$(BUILD)/cuda-$(CUDA):
	@mkdir -p $(@D) && rm -f $(BUILD)/cuda-0 $(BUILD)/cuda-1 && touch $@
$(BUILD)/libdale.a: $(OBJECTS) $(BUILD)/cuda-$(CUDA)
	rm -f $@ && $(AR) rcs $@ $(OBJECTS)
# A program is its own objects, those of the rooms, and the library, of which nothing is taken that they have.
CHECKS   := $(CHECK) $(BUILD)/check-emulated $(BUILD)/check-uncached
$(BUILD)/dale: $(COMMAND)
$(CHECKS): $(call object,$(TESTS)) $(if $(TAGS),always)
$(CHECKS): FRAMEWORK = $(CATCH)
$(BUILD)/check-emulated: $(EMULATED)
$(BUILD)/check-uncached: $(BUILD)/uncached/tensor/unit.o
$(BUILD)/benchmark: $(call object,$(BENCH))
$(BUILD)/benchmark: FRAMEWORK = -lbenchmark
$(BUILD)/bench-ranks: $(BUILD)/experiments/bench/ranks.o
$(BUILD)/numbers: $(BUILD)/tests/page/numbers.o
$(CHECKS) $(addprefix $(BUILD)/,dale benchmark bench-ranks numbers): $(APP) $(BUILD)/libdale.a
	$(CXX) $(EXTRA) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(FRAMEWORK) $(APPLIBS) $(LDLIBS)

# A level's kernels become one object that shows nothing but its table: inline functions that the levels share
# would otherwise be merged by the linker, and AVX-512 code be run where there is none.
define level_rules
$(BUILD)/$(1)/%.o: tensor/cpu/%.cpp Makefile
	@mkdir -p $$(@D)
	$$(CXX) $$(COMMON) $$(KERNELS) $(call march,$(1)) -DDALE_TABLE=cpu_kernels_$(1) -c $$< -o $$@
$(BUILD)/cpu-$(1).o: $(patsubst tensor/cpu/%.cpp,$(BUILD)/$(1)/%.o,$(LEVELLED))
	$$(LD) -r --force-group-allocation -o $$@ $$^
	$$(OBJCOPY) --keep-global-symbol=cpu_kernels_$(1) $$@
endef
$(foreach level,$(LEVELS),$(eval $(call level_rules,$(level))))
unit_of   = $(filter-out $(LIBRARY) $(PROGRAM),$(wildcard $(1)/*.cpp)) \
            $(if $(filter tensor,$(1)),tensor/cpu/blas.cpp tensor/cpu/parallel.cpp)
define unit_rule
$(BUILD)/$(2)$(1)/unit.o: $(call unit_of,$(1)) Makefile
	@mkdir -p $$(@D)
	printf '#include "%s"\n' $(call unit_of,$(1)) | \
	  $$(CXX) $$(COMMON) $$(CXXFLAGS) -x c++ -c - -o $$@
	@printf '%s:\n' $(call unit_of,$(1)) >>$$(@:.o=.d)  # one that is moved away is no error of the next build
endef
$(foreach folder,$(CHAPTERS) $(ROOMS) experiments,$(eval $(call unit_rule,$(folder))))
$(eval $(call unit_rule,tensor,uncached/))
$(BUILD)/uncached/%: override CXXFLAGS += -DDALE_UNCACHED
ROWS     := $(foreach level,$(LEVELS),row($(level)))
$(BUILD)/tensor/cpu/level.o: override CXXFLAGS += -D'DALE_LEVELS(row)=$(ROWS)'
$(BUILD)/experiments/run/ranks.o: override CXXFLAGS += $(MPIFLAGS)
$(BUILD)/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	$(CXX) $(COMMON) $(CXXFLAGS) -c $< -o $@
# What runs once is compiled quickly rather than well.
QUICKLY  := $(filter-out %/metrics.o %/pictures/unit.o,$(APP)) $(COMMAND) $(BUILD)/nn/checkpoint.o
$(BUILD)/tests/%.o $(QUICKLY): CXXFLAGS = -O1
$(BUILD)/tests/emulated/%.o: override CXXFLAGS += -Itests/emulated
# What results are kept by (experiments/info.h).
digest    = $(firstword $(shell cat $(1) | md5sum))
SAMPLING := $(wildcard $(addsuffix /*.h,$(CHAPTERS)) $(addsuffix /*.cpp,$(CHAPTERS)) tensor/cpu/* \
            tensor/cuda/* $(foreach room,pictures data run judge,experiments/$(room)/*))
STUDY    := $(wildcard experiments/studies/* experiments/page/*)
SOURCES  := $(BUILD)/experiments/sources.o
$(SOURCES): $(SAMPLING) $(STUDY)
$(SOURCES): override CXXFLAGS += -DDALE_SAMPLING_SOURCES='"$(call digest,$(SAMPLING))"' \
  -DDALE_STUDY_SOURCES='"$(call digest,$(SAMPLING) $(STUDY))"'
$(BUILD)/experiments/bench/peak.o: override CXXFLAGS += -O3 -march=native -ffp-contract=fast
$(BUILD)/emulated/%.o: tensor/cuda/%.cu Makefile
	@mkdir -p $(@D)
	$(CXX) -x c++ -Itests/emulated $(COMMON) -O1 -Wno-unknown-pragmas -c $< -o $@
$(BUILD)/%.cu.o: %.cu Makefile
	@mkdir -p $(@D)
	$(NVCC) $(NVCCFLAGS) -c $< -o $@

install: all
	install -d $(PREFIX)/lib/pkgconfig $(PREFIX)/bin $(PREFIX)/share/dale
	install -m 644 experiments/pretrained/*.safetensors $(PREFIX)/share/dale/
	install -D -m 644 -t $(PREFIX)/share/dale/rain experiments/pretrained/rain/*
	install -m 644 $(BUILD)/libdale.a $(PREFIX)/lib/
	install $(BUILD)/dale $(PREFIX)/bin/
	for h in $$(ls tensor/*.h tensor/cpu/parallel.h tensor/cpu/level.h autograd/*.h nn/*.h diffusion/*.h); do \
	  install -D -m 644 $$h $(PREFIX)/include/dale/$$h; done
	printf '%s\n' 'Name: dale' 'Description: tensors, gradients of any order, multiplicative diffusion' \
	  'Version: $(VERSION)' \
	  'Cflags: -std=c++20 -ffp-contract=off $(DOUBLE:%=% )-I$(abspath $(PREFIX))/include/dale' \
	  'Libs: -L$(abspath $(PREFIX))/lib -ldale $(LDLIBS)' > $(PREFIX)/lib/pkgconfig/dale.pc

clean:
	rm -rf build build64 build-mpi build64-mpi build-asan build-tsan build-arm build-page

help: ; @cat docs/targets.txt

-include $(shell [ -d $(BUILD) ] && find $(BUILD) -name '*.d')

// What the emulated machine is trusted for: barriers order the threads of a block and of a warp, and each
// fault that a device would pass over in silence is one sentence.
#include <unistd.h>

#include <cstdio>
#include <map>
#include <numeric>

#include "experiments/bench/r1.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/machine.h"
#include "tensor/draw.h"
#include "tests/catch.h"

using namespace dale;
using namespace dale::cuda;

namespace {

/// y[i] = x[n − 1 − i] through shared memory, a block.
__global__ void reverse(Span<const real> x, Span<real> y, bool with_barrier) {
  DALE_SHARED(real, tile, 64);
  const Index t = threadIdx.x;
  tile[t] = x[t];
  if (with_barrier) __syncthreads();
  y[t] = tile[63 - t];
}

__global__ void warp_sums(Span<const real> x, Span<real> y) {
  DALE_SHARED(real, tile, 64);
  const Index t = threadIdx.x;
  tile[t] = x[t];
  for (Index mask = 16; mask > 0; mask /= 2) {
    __syncwarp();
    const real sum = tile[t] + tile[t ^ mask];
    __syncwarp();
    tile[t] = sum;
  }
  y[t] = tile[t];
}

__global__ void read_outside(Span<const real> x, Span<real> y) { y[first()] = x[first() + 1]; }

__global__ void read_unwritten(Span<real> y) {
  DALE_SHARED(real, tile, 64);
  if (threadIdx.x < 32) tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

__global__ void overwrite(Span<real> y) {
  DALE_SHARED(real, tile, 64);
  tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
  tile[threadIdx.x] = 2;
}

__global__ void half_wait(Span<real> y) {
  if (threadIdx.x < 32) __syncthreads();
  y[threadIdx.x] = 1;
}

/// What functions are called, by address: the program's table of symbols, without namespaces and parameters.
std::map<const void*, std::string> function_names() {
  std::map<std::uintptr_t, std::string> listed;
  std::uintptr_t begin = 0;  // where the program lies in memory
  FILE* const nm = popen(fmt::format("nm -C /proc/{}/exe | sed -E 's/void |cublasStatus_t |dale::|cuda::|"
                                     "emulated::|\\(anonymous namespace\\):://g; s/\\(.*//'",
                                     getpid())
                             .c_str(),
                         "r");
  char line[4096], name[4096];
  for (std::uintptr_t place; nm && std::fgets(line, sizeof line, nm);) {
    if (std::sscanf(line, "%zx %*c %4095[^\n]", &place, name) != 2) continue;
    listed[place] = name;
    if (listed[place] == "computer") begin = reinterpret_cast<std::uintptr_t>(&emulated::computer) - place;
  }
  if (nm) pclose(nm);
  std::map<const void*, std::string> names;
  for (const auto& [place, function] : listed) names[reinterpret_cast<const void*>(begin + place)] = function;
  return names;
}

struct Asked {
  std::size_t launches = 0, bytes = 0;
};
/// What work asks of the device, copies included; printed by function, the most frequent first.
Asked asked(const std::string& what, const std::function<void()>& work) {
  const auto graph = cuda_record(work);
  const auto names = function_names();
  std::map<std::string, Asked> each;
  Asked all;
  for (const emulated::Task& task : *static_cast<const emulated::Work*>(graph.get()))
    for (Asked* to : {&all, &each[names.count(task.function) ? names.at(task.function) : "(nm is not here)"]})
      ++to->launches, to->bytes += task.bytes;
  std::vector<std::pair<std::string, Asked>> lines(each.begin(), each.end());
  std::ranges::stable_sort(lines, std::greater{}, [](const auto& line) { return line.second.launches; });
  lines.emplace_back("in all", all);
  fmt::print("{}: launches and copies, MB of the arrays they are given\n", what);
  for (const auto& [name, n] : lines)
    fmt::print("{:6} {:9.2f}  {}\n", n.launches, static_cast<double>(n.bytes) * 1e-6, name);
  return all;
}

}  // namespace

TEST_CASE("an emulated grid: barriers and what a device would not tell", "[machines][emulated]") {
  std::vector<real> x(64), y(64);
  std::iota(x.begin(), x.end(), real(0));
  const std::span<const real> in = x;
  const std::span<real> out = y;
  launch(reverse, 1, 64, in, out, true);
  CHECK((y[0] == 63 && y[63] == 0));
  launch(warp_sums, 1, 64, in, out);
  CHECK((y[0] == 496 && y[31] == 496 && y[32] == 1520));

  REFUSES(launch(reverse, 1, 64, in, out, false), "shared memory is read");
  REFUSES(launch(read_outside, 1, 64, in, out), "index 64 in a buffer of 64");
  REFUSES(launch(read_unwritten, 1, 64, out), "thread 32: shared memory is read before");
  REFUSES(launch(overwrite, 1, 64, out), "no barrier after another thread");
  REFUSES(launch(half_wait, 1, 64, out), "a barrier that not all threads reach");
  launch(reverse, 1, 64, in, out, true);
  CHECK((y[0] == 63 && y[63] == 0));
}

TEST_CASE("a computer that cannot run CUDA: one sentence each, with the remedy",
          "[machines][emulated][errors]") {
  const auto sentence = [](const emulated::Computer& of) {
    emulated::computer = of;
    const std::string said = cuda_missing();
    emulated::computer = {};
    return said;
  };
  CHECK(sentence({}) == "");
  CHECK_THAT(sentence({.driver = 0}), Contains("no NVIDIA driver was found: install one"));
  CHECK_THAT(sentence({.count = cudaErrorInsufficientDriver, .driver = 12040}),
             Contains("knows CUDA 12.4 at most, but this build uses 13.0: update the driver"));
  CHECK_THAT(sentence({.count = cudaErrorNoDevice}), Contains("no NVIDIA GPU was found"));
  CHECK_THAT(sentence({.kernel = cudaErrorNoKernelImageForDevice}),
             Contains("(sm_90): make clean && make CUDA_ARCHS=90"));
  CHECK_THAT(sentence({.kernel = cudaErrorNoKernelImageForDevice, .major = 7}),
             Contains("(sm_70) is older than sm_80, which the kernels need: use --device cpu"));
  CHECK_THAT(sentence({.kernel = cudaErrorNotReady}), Contains("CUDA does not start"));
  CHECK_THAT(sentence({.cublas = false}), Contains("cuBLAS is not found (libcublas.so.13)"));
}

TEST_CASE("copies to the host and back in more pieces than there are buffers", "[machines][emulated]") {
  for (const Index n : {Index{1}, Index{262144}, Index{5'000'001}}) {
    const Tensor x = uniform(Key{1}, {n});
    CHECK(x.to(Device::cuda).to(Device::cpu).to_vector() == x.to_vector());
  }
}

TEST_CASE("while a graph is recorded nothing waits for the device, and no block goes back to it",
          "[machines][emulated][errors]") {
  REFUSES(cuda_record([] { cuda_synchronize(); }), "a captured function waits for the device");
  { const Tensor cached({1000}, Device::cuda); }
  emulated::freed = 0;
  emulated::computer.memory = 0;
  const auto ask = [] { const Tensor more({123456}, Device::cuda); };
  CHECK_THROWS_AS(cuda_record(ask), OutOfMemory);
  CHECK(emulated::freed == 0);
  CHECK_THROWS_AS(ask(), OutOfMemory);
  CHECK(emulated::freed > 0);
  emulated::computer = {};
}

TEST_CASE("the bytes of a launch are those of its arrays", "[machines][emulated]") {
  const auto numbers = [](const std::function<void()>& work) {
    const auto graph = cuda_record(work);
    std::size_t bytes = 0;
    for (const emulated::Task& task : *static_cast<const emulated::Work*>(graph.get())) bytes += task.bytes;
    return bytes / sizeof(real);
  };
  const auto made = [](const Shape& shape) { return Tensor(shape, Device::cuda); };
  const Tensor x = made({8, 6}), row = made({6}), settings = made({adam_settings}), small = made({5}),
               large = made({5000});
  CHECK(numbers([&] { raw::binary(Binary::add, x, row.broadcast_to({8, 6})); }) == 48 + 6 + 48);
  CHECK(numbers([&] { x.slice(1, 0, 3).packed(); }) == 2 * 24);
  CHECK(numbers([&] { raw::reduce(Reduce::sum, x, {0}); }) == 48 + 6);
  CHECK(numbers([&] {
          std::vector<AdamArrays> all;
          for (const Tensor& w : {small, large}) all.push_back({w.cspan(), w.span(), w.span(), w.span()});
          kernels(Device::cuda).adam(settings.cspan(), all);
        }) == adam_settings + 4 * 5005);
  // Taps are put into the product's order first.
  const Tensor images = made({2, 5, 7, 3}), w = made({4, 3, 3, 3}), shift = made({4}), y = made({2, 5, 7, 4});
  const ConvShape s{2, 3, 5, 7, 4, 3, 3, 5, 7, 1, 1, 1, 1, 1, 1};
  CHECK(numbers([&] {
          kernels(Device::cuda).conv2d(s, images.cspan(), w.cspan(), shift.cspan(), y.cspan(), y.span());
        }) == 2 * 108 + 210 + 108 + 4 + 280 + 280);
  CHECK(numbers([&] { cuda_transfer(y.data(), y.data(), 280 * sizeof(real), Transfer::on_device); }) ==
        2 * 280);
}

TEST_CASE("what a step of R1 asks of the device is a known number of launches, copies and bytes",
          "[machines][emulated][counts]") {
  const R1 r1(128, Device::cuda), one(1, Device::cuda);
  // So what is made once is there; the plain products are the quickest, emulated.
  cuda_set_products(CudaProducts::plain);
  last_grad(one.loss(one.inputs), variables(one.all));
  cuda_set_products(CudaProducts::full);
  const Asked gradients = asked("R1, gradients", [&] { last_grad(r1.loss(r1.inputs), variables(r1.all)); });
  const Asked evaluation = asked("R1, evaluation", [&] {
    const NoGrad off;
    r1(r1.inputs);
  });
  // What each part asks for. It is lowered with every launch that goes, and never raised unseen.
  constexpr std::size_t convolutions = 24, norms = 15, blocks = 7, products = 2 + blocks;
  constexpr std::size_t forward = 2 * convolutions                // taps in the product's order, product
                                  + norms + 2 * products          // product, bias
                                  + blocks                        // the time's part and the shift
                                  + 3 * 2 + 2                     // concat and up-sampling
                                  + 7 + 2;                        // the time's embedding and SiLU
  constexpr std::size_t backward = 2 * (convolutions - 1) - 4     // the image has no gradient, 1×1 no order
                                   + 2 * convolutions             // product; its pieces' sum, with shifts (O)
                                   + blocks                       // shifts (N,O)
                                   + 3 + 2                        // slices of a concat, up-sampling
                                   + 2 * norms                    // with a sum for gamma and beta
                                   + 2 * products - 1 + products  // factors, biases
                                   + blocks                       // a shift's part that all images have
                                   + 16 + 2                       // where paths meet, SiLU
                                   + 1 + 9;                       // 1, and all of the mean squared error
  CHECK(evaluation.launches <= forward);
  CHECK(gradients.launches <= forward + backward);
  // The largest arrays but one, 32 channels at 28 × 28, have 3.2 million numbers.
  CHECK(static_cast<double>(evaluation.bytes) / sizeof(real) <= 217e6);
  CHECK(static_cast<double>(gradients.bytes) / sizeof(real) <= 691e6);
}

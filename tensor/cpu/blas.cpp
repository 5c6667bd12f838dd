#include "tensor/cpu/blas.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <tuple>
#include <vector>

#include "tensor/check.h"

namespace dale::blas {
namespace {

// As Fortran passes arguments: by address, integers of 32 bits, matrices by columns.
template <class T>
using Gemm = void (*)(const char*, const char*, const int*, const int*, const int*, const T*, const T*,
                      const int*, const T*, const int*, const T*, T*, const int*);
using Syev = void (*)(const char*, const char*, const int*, double*, const int*, double*, double*, const int*,
                      int*);

struct Library {
  std::tuple<Gemm<float>, Gemm<double>> gemm;
  Syev dsyev;
  const char* (*config)();
  const char* (*core)();
};

constexpr const char* missing = "OpenBLAS is not here (libopenblas.so.0): install the package libopenblas0";

/// OpenBLAS takes a buffer per thread when it is loaded, of 128 MiB on most processors, and asks for ever
/// where it gets none. So it is told of one thread, and is loaded only where twice as much can be had.
void expect_memory() {
  constexpr std::size_t size = std::size_t{256} << 20;
  void* const block = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  munmap(block, size);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
}

/// nullptr where there is none.
const Library* find() {
  static const Library* const found = []() -> const Library* {
    expect_memory();
    void* const file = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!file) return nullptr;
    static Library library;
    void (*set_threads)(int) = nullptr;
    const auto take = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(file, name));
      return function != nullptr;
    };
    const bool whole =
        take(std::get<0>(library.gemm), "sgemm_") && take(std::get<1>(library.gemm), "dgemm_") &&
        take(library.dsyev, "dsyev_") && take(library.config, "openblas_get_config") &&
        take(library.core, "openblas_get_corename") && take(set_threads, "openblas_set_num_threads");
    if (!whole) return nullptr;
    set_threads(1);  // its threads would change the order of sums with their number, and fight with ours
    return &library;
  }();
  return found;
}

const Library& open() {
  const Library* library = find();
  if (!library) failed("{}", missing);
  return *library;
}

}  // namespace

void require() { open(); }

/// By columns the row-major y = a b is yᵀ = bᵀ aᵀ.
template <class T>
void product(bool ta, bool tb, Index M, Index N, Index K, const T* a, Index lda, const T* b, Index ldb, T* y,
             Index ldy) {
  const auto i = [](Index n) { return static_cast<int>(n); };
  const int m = i(M), n = i(N), k = i(K), a_row = i(lda), b_row = i(ldb), y_row = i(ldy);
  const T one = 1, zero = 0;
  std::get<Gemm<T>>(open().gemm)(tb ? "T" : "N", ta ? "T" : "N", &n, &m, &k, &one, b, &b_row, a, &a_row,
                                 &zero, y, &y_row);
}
template void product(bool, bool, Index, Index, Index, const float*, Index, const float*, Index, float*,
                      Index);
template void product(bool, bool, Index, Index, Index, const double*, Index, const double*, Index, double*,
                      Index);

void eigen(Index n, double* matrix, double* values) {
  const int order = static_cast<int>(n), size = 34 * order;
  int info = 0;
  std::vector<double> work(static_cast<std::size_t>(size));
  open().dsyev("V", "U", &order, matrix, &order, values, work.data(), &size, &info);
  if (info != 0)
    failed("the eigenvalues of a symmetric matrix were not found (LAPACK's dsyev gave {})", info);
}

std::string description() {
  const Library* library = find();
  return library ? fmt::format("{} {}", library->config(), library->core()) : missing;
}

}  // namespace dale::blas

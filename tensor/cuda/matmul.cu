// Matrix products by cuBLAS. It counts by columns: to it a row-major matrix is its own transpose, so y = a b
// is asked for as yᵀ = bᵀ aᵀ, with the factors swapped and no element moved.
#include <dlfcn.h>

#include "tensor/cuda/cublas.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/machine.h"

namespace dale {

static CudaProducts products = CudaProducts::full;

CudaProducts cuda_products() { return products; }
void cuda_set_products(CudaProducts how) { products = how; }

namespace cuda {

const Cublas* open_cublas() {
  void* const file = dlopen("libcublas.so." DALE_TEXT(CUBLAS_VER_MAJOR), RTLD_LAZY | RTLD_LOCAL);
  if (!file) return nullptr;
  static const Cublas library = [&] {
    Cublas found;
#define DALE_TAKE(member, name) \
  found.member = reinterpret_cast<decltype(&name)>(dlsym(file, DALE_TEXT(name)));
    DALE_CUBLAS(DALE_TAKE)
    return found;
  }();
  return &library;
}

namespace {

/// REQUIRES a device that can be used (cuda_missing).
const Cublas& cublas() {
  static const Cublas& library = *open_cublas();
  return library;
}

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) failed("[matmul] cuBLAS cannot {}: {}", what, cublas().status(status));
}

/// Made at the first product and never given back: the runtime may be gone before static destructors run.
cublasHandle_t handle() {
  static const cublasHandle_t handle = [] {
    cublasHandle_t made{};
    check(cublas().create(&made), "start");
    check(cublas().set_stream(made, stream()), "be given a stream");
    // Its own, so that nothing is allocated while a graph is recorded; 32 MiB is what cuBLAS asks for on
    // sm_90.
    constexpr std::size_t bytes = 32 << 20;
    void* workspace = cuda_allocate(bytes);
    if (!workspace) failed("out of cuda memory: cuBLAS asks for {} bytes to work in", bytes);
    check(cublas().set_workspace(made, workspace, bytes), "be given memory");
    return made;
  }();
  return handle;
}

}  // namespace

void matmul(const View<const real>& a, const View<const real>& b, Out y) {
  const Index B = a.shape[0], M = a.shape[1], K = a.shape[2], N = b.shape[2];
  if (K == 0) fill(y, 0);
  if (y.empty() || K == 0) return;
  const bool ta = a.strides[2] != 1 && K > 1, tb = b.strides[2] != 1 && N > 1;
  const Index lda = std::max(ta ? a.strides[2] : a.strides[1], ta ? M : K);
  const Index ldb = std::max(tb ? b.strides[2] : b.strides[1], tb ? K : N);
  const real one = 1, zero = 0;
  const bool tf32 = products == CudaProducts::tf32;
  check(cublas().set_math_mode(handle(), tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH),
        "take its precision");
  check(cublas().gemm(handle(), tb ? CUBLAS_OP_T : CUBLAS_OP_N, ta ? CUBLAS_OP_T : CUBLAS_OP_N, N, M, K, &one,
                      b.data, ldb, b.strides[0], a.data, lda, a.strides[0], &zero, y.data(), N, M * N, B),
        "multiply");
}

}  // namespace cuda
}  // namespace dale

// What the rest of the library sees of the CUDA machine: a description, memory and graphs. Host code only, no
// CUDA header. A build without nvcc answers with absent.cpp, which says so. REQUIRES of all of it, kernels
// included: one thread at a time, because stream, staging buffers and recording are shared.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace dale {

/// Empty when a device can be used; else one sentence: what is missing and what to do.
std::string cuda_missing();
/// Device, driver, runtime and memory in one line. REQUIRES cuda_missing() to be empty.
std::string cuda_description();

/// How products are made: in full precision, or TF32 (factors rounded to 10 bits of mantissa, sums in float).
/// Both are the matrix units', for which full precision splits each factor in two (cuda/tiles.h); a shift's
/// gradient is made with the taps' and rounds as they do. The rungs
/// below, for the convolutions: `plain`, one thread an output, which specifies the others, and `lanes`,
/// without matrix units. At first: full. The double build has no TF32, and takes lanes for it and for full.
enum class CudaProducts { plain, lanes, full, tf32 };
CudaProducts cuda_products();
void cuda_set_products(CudaProducts how);

/// A block of device memory, or nullptr when there is none left.
void* cuda_allocate(std::size_t bytes);
void cuda_free(void* block);
enum class Transfer { to_device, to_host, on_device };
/// Copies bytes, after all work before it and before all after it. To the host it waits; to the device it
/// does not, and `from` may be written again at once. Throws std::logic_error while a graph is recorded,
/// except on the device.
void cuda_transfer(void* to, const void* from, std::size_t bytes, Transfer direction);
/// Waits until every kernel launched so far has ended; throws std::runtime_error with the first error among
/// them, and std::logic_error while a graph is recorded.
void cuda_synchronize();

/// What work() asks of the machine, written down and not done: kernels with their arguments and addresses.
/// Memory must stay where it is for as long as the graph is replayed (PoolScope).
std::shared_ptr<void> cuda_record(const std::function<void()>& work);
bool cuda_recording();
/// Does what was written down, after all work before it.
void cuda_replay(void* graph);

}  // namespace dale

// Arrays: a shape and strides looking into shared storage. Views (reshape where strides allow, permute,
// slice, broadcast) cost nothing and share memory with what they look at.
//
// Read first: shape.h, storage.h. Elements are `real` (float, or double in the checking build), or
// std::int32_t for labels and indices, which are never differentiated.
#pragma once

#include <memory>
#include <vector>

#include "tensor/kernels.h"
#include "tensor/storage.h"

namespace dale {

template <class T> class Array {
 public:
  /// No array at all: defined() is false.
  Array() = default;
  /// Uninitialised elements, contiguous.
  explicit Array(const Shape& shape, Device device = Device::cpu);
  /// Elements in row-major order. Throws std::invalid_argument unless values fill the shape exactly.
  Array(const Shape& shape, const std::vector<T>& values, Device device = Device::cpu);
  static Array full(const Shape& shape, T value, Device device = Device::cpu);

  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  /// The length of an axis; a negative one counts from the end. Throws std::invalid_argument for none.
  Index dim(int axis) const {
    if (axis < -rank() || axis >= rank()) normal_axis(axis, rank(), "dim");
    return shape_[axis];
  }
  Index size() const { return size_; }
  Device device() const { return device_; }
  bool defined() const { return storage_ != nullptr; }
  bool contiguous() const;

  /// The first element's address, on the array's machine. Throws std::logic_error unless defined(); so do
  /// span() and view().
  T* data() const {
    if (!storage_) no_elements();
    return static_cast<T*>(storage_->data()) + offset_;
  }
  /// All elements, where the device can read them: span() and view() to write, cspan() and cview() to read.
  /// span() and cspan() REQUIRE contiguous().
  std::span<T> span() const { return {opened(), static_cast<std::size_t>(size_)}; }
  std::span<const T> cspan() const { return {data(), static_cast<std::size_t>(size_)}; }
  View<T> view() const { return {opened(), extent(), shape_, strides_}; }
  View<const T> cview() const { return {data(), extent(), shape_, strides_}; }

  /// Writes all elements, in row-major order, from the host. Throws std::invalid_argument unless the array is
  /// contiguous and values fill its shape exactly.
  void write(const std::vector<T>& values) const;

  /// How often the storage was opened for writing, by any array that looks into it; 0 where there is none.
  std::uint64_t version() const { return storage_ ? storage_->version : 0; }

  /// The only element, or all of them in row-major order, on the host.
  T item() const;
  std::vector<T> to_vector() const;
  Array to(Device device) const;

  /// The same elements in row-major order under another shape; one axis may be −1. A view where strides
  /// allow, else a copy. Throws std::invalid_argument when the sizes differ.
  Array reshape(const Shape& shape) const;
  /// Axis k of the result is axis axes[k] of this.
  Array permute(const Axes& axes) const;
  /// Indices begin, begin + step, … below end along an axis. REQUIRES 0 ≤ begin ≤ end ≤ dim(axis), step ≥ 1.
  Array slice(int axis, Index begin, Index end, Index step = 1) const;
  /// Unit axes stretched to `shape`, aligned at the last axis, with stride 0.
  Array broadcast_to(const Shape& shape) const;
  /// Itself when contiguous, else a contiguous copy.
  Array packed() const;
  /// A contiguous copy.
  Array clone() const;
  /// Shape and device without elements: defined() is false.
  Array hollow() const;
  /// Lets go of the elements: becomes hollow.
  void forget() { storage_.reset(); }

 private:
  [[noreturn]] void no_elements() const;
  T* opened() const {
    T* first = data();
    ++storage_->version;
    return first;
  }
  Array with(const Shape& shape, const Strides& strides, Index offset) const;
  Index extent() const { return static_cast<Index>(storage_->bytes() / sizeof(T)) - offset_; }

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  Index size_ = 0;  // before the strides: a shape too large for any is refused here
  Strides strides_;
  Index offset_ = 0;
  Device device_ = Device::cpu;
};

using Tensor = Array<real>;
using IntTensor = Array<std::int32_t>;

/// The table of a machine.
const Kernels& kernels(Device device);
/// Throws std::invalid_argument "[op] …" when two arrays are on different machines.
void same_device(Device a, Device b, const char* op);

}  // namespace dale

#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "tensor/cuda/machine.h"

namespace dale {
namespace {

/// Copies bytes between machines, or on one.
void transfer(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) {
  if (bytes == 0) return;
  if (to_device == Device::cpu && from_device == Device::cpu)
    std::memcpy(to, from, bytes);
  else
    cuda_transfer(to, from, bytes,
                  to_device == Device::cpu     ? Transfer::to_host
                  : from_device == Device::cpu ? Transfer::to_device
                                               : Transfer::on_device);
}

/// Strides under which the same storage reads as `to`, if there are any: each new axis must lie inside a run
/// of old axes that are contiguous among themselves.
std::optional<Strides> reshaped_strides(const Shape& from, const Strides& strides, const Shape& to) {
  Strides out = to;
  int i = from.rank() - 1;
  Index run_stride = 1, run_left = 1;  // what is left of the current run of old axes, and its stride
  for (int j = to.rank() - 1; j >= 0; --j) {
    if (to[j] == 1) {
      out[j] = 1;
      continue;
    }
    if (run_left == 1) {
      while (i >= 0 && from[i] == 1) --i;
      run_stride = strides[i];
      run_left = from[i--];
      for (; i >= 0 && (from[i] == 1 || strides[i] == run_stride * run_left); --i) run_left *= from[i];
    }
    if (run_left % to[j] != 0) return std::nullopt;
    out[j] = run_stride;
    run_stride *= to[j];
    run_left /= to[j];
  }
  return out;
}

}  // namespace

const Kernels& kernels(Device device) { return device == Device::cpu ? cpu_kernels() : cuda_kernels; }

void same_device(Device a, Device b, const char* op) {
  if (a != b) invalid("[{}] one array is on {}, the other on {}: move one with to()", op, str(a), str(b));
}

template <class T>
Array<T>::Array(const Shape& shape, Device device)
    : shape_(shape), size_(element_count(shape)), strides_(row_major(shape)), device_(device) {
  for (Index d : shape)
    if (d < 0) invalid("an array cannot have the shape {}", str(shape));
  storage_ = std::make_shared<Storage>(static_cast<std::size_t>(size_) * sizeof(T), device);
}

template <class T>
Array<T>::Array(const Shape& shape, const std::vector<T>& values, Device device) : Array(shape, device) {
  write(values);
}

template <class T> Array<T> Array<T>::full(const Shape& shape, T value, Device device) {
  if constexpr (std::is_same_v<T, real>) {
    Array a(shape, device);
    kernels(device).fill(a.span(), value);
    return a;
  } else {
    return Array(shape, std::vector<T>(static_cast<std::size_t>(element_count(shape)), value), device);
  }
}

template <class T> void Array<T>::no_elements() const {
  broken(
      "an array of shape {} has no elements: it was never given any, was moved from, or is an input or "
      "output that a gradient rule did not ask to keep",
      str(shape_));
}

template <class T> bool Array<T>::contiguous() const {
  Index step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != step) return size_ == 0;
    step *= shape_[i];
  }
  return true;
}

template <class T> T Array<T>::item() const {
  if (size_ != 1) invalid("[item] the array has shape {}; it must have one element", str(shape_));
  return to_vector()[0];
}

template <class T> std::vector<T> Array<T>::to_vector() const {
  const Array a = packed();
  std::vector<T> values(static_cast<std::size_t>(size_));
  transfer(values.data(), Device::cpu, a.data(), device_, values.size() * sizeof(T));
  return values;
}

template <class T> void Array<T>::write(const std::vector<T>& values) const {
  if (!contiguous())
    invalid("values are written in row-major order; an array {} that lies in another is not", str(shape_));
  if (static_cast<Index>(values.size()) != size_)
    invalid("{} values do not fill the shape {}", values.size(), str(shape_));
  transfer(opened(), device_, values.data(), Device::cpu, values.size() * sizeof(T));
}

template <class T> Array<T> Array<T>::to(Device device) const {
  if (device == device_) return *this;
  const Array a = packed();
  Array b(shape_, device);
  transfer(b.data(), device, a.data(), device_, static_cast<std::size_t>(size_) * sizeof(T));
  return b;
}

template <class T> Array<T> Array<T>::with(const Shape& shape, const Strides& strides, Index offset) const {
  Array a = *this;
  a.shape_ = shape;
  a.strides_ = strides;
  a.offset_ = offset;
  a.size_ = element_count(shape);
  return a;
}

template <class T> Array<T> Array<T>::reshape(const Shape& wanted) const {
  Shape shape = wanted;
  int open = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] < -1 || (shape[i] == -1 && open >= 0))
      invalid("[reshape] the shape {} asked for has a negative length; one -1 stands for what is left",
              str(wanted));
    if (shape[i] == -1) shape[open = i] = 1;
  }
  const Index known = element_count(shape);
  if (open >= 0 && known == 0) invalid("[reshape] -1 may be any length beside the 0 in {}", str(wanted));
  if (open >= 0) shape[open] = size_ / known;
  if (element_count(shape) != size_)
    invalid("[reshape] {} elements of shape {} do not fill {}", size_, str(shape_), str(wanted));
  if (shape == shape_) return *this;
  if (contiguous()) return with(shape, row_major(shape), offset_);
  if (const auto strides = reshaped_strides(shape_, strides_, shape)) return with(shape, *strides, offset_);
  return packed().reshape(shape);
}

template <class T> Array<T> Array<T>::permute(const Axes& axes) const {
  Shape shape = shape_;
  Strides strides = strides_;
  std::vector<bool> seen(axes.size());
  if (static_cast<int>(axes.size()) != rank())
    invalid("[permute] {} axes given for the shape {}", axes.size(), str(shape_));
  for (int i = 0; i < rank(); ++i) {
    const int from = normal_axis(axes[i], rank(), "permute");
    if (seen[from]) invalid("[permute] axis {} is named twice", from);
    seen[from] = true;
    shape[i] = shape_[from];
    strides[i] = strides_[from];
  }
  return with(shape, strides, offset_);
}

template <class T> Array<T> Array<T>::slice(int axis, Index begin, Index end, Index step) const {
  axis = normal_axis(axis, rank(), "slice");
  if (begin < 0 || begin > end || end > shape_[axis] || step < 1)
    invalid("[slice] {}:{}:{} does not lie in axis {} of the shape {}", begin, end, step, axis, str(shape_));
  Shape shape = shape_;
  Strides strides = strides_;
  shape[axis] = begin < end ? (end - begin - 1) / step + 1 : 0;
  if (shape[axis] > 1) strides[axis] *= step;
  return with(shape, strides, offset_ + (shape[axis] ? begin * strides_[axis] : 0));
}

template <class T> Array<T> Array<T>::broadcast_to(const Shape& shape) const {
  Strides strides = shape;
  bool stretches = shape.rank() >= rank();
  for (int i = 0; i < shape.rank() && stretches; ++i) {
    const int from = i - shape.rank() + rank();
    const Index d = from < 0 ? 1 : shape_[from];
    stretches = shape[i] >= 0 && (d == 1 || d == shape[i]);
    strides[i] = d == 1 ? 0 : strides_[from];
  }
  if (!stretches) invalid("[broadcast_to] the shape {} does not stretch to {}", str(shape_), str(shape));
  return with(shape, strides, offset_);
}

template <class T> Array<T> Array<T>::packed() const { return contiguous() ? *this : clone(); }

template <class T> Array<T> Array<T>::clone() const {
  Array a(shape_, device_);
  if constexpr (std::is_same_v<T, real>)
    kernels(device_).copy(cview(), a.view());
  else
    kernels(device_).copy_int(cview(), a.view());
  return a;
}

template <class T> Array<T> Array<T>::hollow() const {
  Array a;  // not a copy of *this: counting another user of the storage costs more than all the rest
  a.shape_ = shape_;
  a.strides_ = strides_;
  a.size_ = size_;
  a.device_ = device_;
  return a;
}

template class Array<real>;
template class Array<std::int32_t>;

}  // namespace dale

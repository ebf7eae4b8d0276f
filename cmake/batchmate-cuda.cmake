# Defines batchmate::cuda, for <batchmate/cuda.hpp>, if the CUDA toolkit and cuDNN are found; otherwise says what is
# missing in batchmate_cuda_missing. Also part of the installed package.
if(TARGET batchmate::cuda)
  return()
endif()

find_package(CUDAToolkit QUIET)
find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
# NVIDIA's Python packages have no libcudnn.so, which must not make that of another folder come first.
find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 NAMES_PER_DIR HINTS ${CUDNN_ROOT} ${CUDAToolkit_LIBRARY_DIR}
             PATH_SUFFIXES lib lib64)
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY)
if(NOT TARGET CUDA::cudart)
  set(batchmate_cuda_missing "the CUDA toolkit")
  return()
elseif(NOT CUDNN_INCLUDE_DIR OR NOT CUDNN_LIBRARY)
  set(batchmate_cuda_missing "cuDNN (set CUDNN_ROOT to where it is)")
  return()
endif()
# Plans for described devices are new in cuDNN 9.8.
set(batchmate_cudnn)
if(EXISTS ${CUDNN_INCLUDE_DIR}/cudnn_version.h)
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h batchmate_cudnn REGEX "define CUDNN_(MAJOR|MINOR) ")
endif()
string(REGEX REPLACE "[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2" batchmate_cudnn "${batchmate_cudnn}")
if(batchmate_cudnn VERSION_LESS 9.8)
  set(batchmate_cuda_missing "cuDNN 9.8 or newer (${CUDNN_INCLUDE_DIR} has ${batchmate_cudnn})")
  unset(CUDNN_INCLUDE_DIR CACHE)  # so that CUDNN_ROOT is looked at when it is set next
  unset(CUDNN_LIBRARY CACHE)
  return()
endif()

add_library(batchmate_cuda INTERFACE)
add_library(batchmate::cuda ALIAS batchmate_cuda)
# As an option, since CMake 3.25 does not know that nvcc has C++20.
target_compile_options(batchmate_cuda INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--expt-relaxed-constexpr>")
target_include_directories(batchmate_cuda SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
# The runtime is linked statically, as nvcc does it: a program must not have two.
target_link_libraries(batchmate_cuda INTERFACE batchmate::batchmate CUDA::cudart_static ${CUDNN_LIBRARY})

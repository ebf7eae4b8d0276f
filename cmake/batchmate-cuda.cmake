# Defines batchmate::cuda, for <batchmate/cuda.hpp>, if the CUDA toolkit and cuDNN are found; otherwise says what is
# missing in batchmate_cuda_missing. Also part of the installed package.
if(TARGET batchmate::cuda)
  return()
endif()

find_package(CUDAToolkit QUIET)
find_path(BATCHMATE_CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS}
          PATH_SUFFIXES include)
# NVIDIA's Python packages have no libcudnn.so, which must not make that of another folder come first.
find_library(BATCHMATE_CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 NAMES_PER_DIR
             HINTS ${CUDNN_ROOT} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
mark_as_advanced(BATCHMATE_CUDNN_INCLUDE_DIR BATCHMATE_CUDNN_LIBRARY)
if(NOT TARGET CUDA::cudart)
  set(batchmate_cuda_missing "the CUDA toolkit")
  return()
elseif(NOT BATCHMATE_CUDNN_INCLUDE_DIR OR NOT BATCHMATE_CUDNN_LIBRARY)
  set(batchmate_cuda_missing "cuDNN (set CUDNN_ROOT to where it is)")
  return()
endif()
# Plans for described devices are new in cuDNN 9.8.
set(batchmate_cudnn)
if(EXISTS ${BATCHMATE_CUDNN_INCLUDE_DIR}/cudnn_version.h)
  file(STRINGS ${BATCHMATE_CUDNN_INCLUDE_DIR}/cudnn_version.h batchmate_cudnn REGEX "define CUDNN_(MAJOR|MINOR) ")
endif()
string(REGEX REPLACE "[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2" batchmate_cudnn "${batchmate_cudnn}")
if(batchmate_cudnn VERSION_LESS 9.8)
  set(batchmate_cuda_missing "cuDNN 9.8 or newer (${BATCHMATE_CUDNN_INCLUDE_DIR} has ${batchmate_cudnn})")
  unset(BATCHMATE_CUDNN_INCLUDE_DIR CACHE)  # so that CUDNN_ROOT is looked at when it is set next
  unset(BATCHMATE_CUDNN_LIBRARY CACHE)
  return()
endif()

set(batchmate_cuda_target batchmate::cuda)
if(TARGET batchmate)
  set(batchmate_cuda_target batchmate_cuda)
  add_library(batchmate_cuda INTERFACE)
  add_library(batchmate::cuda ALIAS batchmate_cuda)
else() # in the installed package: imported, so that a library which links it can be exported
  add_library(batchmate::cuda INTERFACE IMPORTED)
endif()
# As an option, since CMake 3.25 does not know that nvcc has C++20.
target_compile_options(${batchmate_cuda_target}
                       INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--expt-relaxed-constexpr>")
target_include_directories(${batchmate_cuda_target} SYSTEM
                           INTERFACE ${BATCHMATE_CUDNN_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})
# The runtime is linked statically, as nvcc does it: a program must not have two.
target_link_libraries(${batchmate_cuda_target}
                      INTERFACE batchmate::batchmate CUDA::cudart_static ${BATCHMATE_CUDNN_LIBRARY})

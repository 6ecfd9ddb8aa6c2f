#!/bin/sh
# Runs inside a Debian 12 chroot that has a kernel, its headers and its source: builds the modules that Debian's kernel
# lacks, and leaves /root/kernel.tar with the kernel and an initial file system that holds every module of the guest.
# Its /init is added when a guest is started.
#
# They are Debian's sources, with these changes at build time:
# - irq_sim is made to be built in; as a module it may not look into interrupt descriptors, and needs a licence line.
# - isa, the same.
# - intel-qep is bound to the shared memory of QEMU's ivshmem (its BAR 2): a test then moves the count by writing memory.
set -eu
cd /root
release=$(cd /lib/modules && echo *)
headers=/lib/modules/$release/build
source=$(basename /usr/src/linux-source-*.tar.xz .tar.xz)

mkdir -p modules
tar -xJf "/usr/src/$source.tar.xz" -C modules --strip-components=3 \
    "$source/kernel/irq/irq_sim.c" "$source/drivers/base/isa.c" \
    "$source/drivers/gpio/gpio-sim.c" "$source/drivers/gpio/gpio-pca953x.c" "$source/drivers/gpio/gpiolib.h" \
    "$source/drivers/counter"
for name in irq_sim isa; do
    sed -i '1i #include <linux/module.h>' "modules/$name.c"
    echo 'MODULE_LICENSE("GPL");' >>"modules/$name.c"
done
sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' modules/irq_sim.c
sed -i 's/BIT(0), pci_name/BIT(2), pci_name/; s/iomap_table(pci)\[0\]/iomap_table(pci)[2]/' modules/intel-qep.c
cat >modules/Makefile <<'END'
obj-m := irq_sim.o gpio-sim.o gpio-pca953x.o isa.o counter.o 104-quad-8.o intel-qep.o
counter-y := counter-core.o counter-sysfs.o counter-chrdev.o
ccflags-y := -DCONFIG_ISA_BUS_API=1
END
make -s -j"$(nproc)" -C "$headers" M=/root/modules modules
mkdir -p "/lib/modules/$release/extra"
cp modules/*.ko "/lib/modules/$release/extra/"
depmod "$release"

mkdir -p initrd/bin initrd/dev initrd/proc initrd/sys initrd/new "initrd/lib/modules/$release"
cp /bin/busybox initrd/bin/
for name in virtio_pci virtio_blk virtio_console ext4 crc32c_generic 9pnet_virtio 9p overlay configfs \
    gpio-sim gpio-pca953x i2c-stub i2c-dev i6300esb softdog vivid intel-qep 104-quad-8; do
    modprobe --set-version "$release" --show-depends "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | sort -u | while read -r file; do
    mkdir -p "initrd$(dirname "$file")"
    cp "$file" "initrd$file"
    objcopy --strip-debug "initrd$file"
done
cp "/lib/modules/$release/modules.order" "/lib/modules/$release/modules.builtin" \
    "/lib/modules/$release/modules.builtin.modinfo" "initrd/lib/modules/$release/"
depmod --basedir initrd "$release"
chmod 755 initrd
(cd initrd && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9) >initrd.img
cp /boot/vmlinuz-"$release" vmlinuz
tar -cf kernel.tar vmlinuz initrd.img

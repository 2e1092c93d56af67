// Package predict labels a user's own photos: by a trained network, or by a
// method of gen from cheap labels or nothing but the names of classes. Photos
// are decoded, labelled and written beside each other within a bounded memory;
// a stopped call goes on where it was; photos that cannot be read or labelled
// are left out and listed.
package predict

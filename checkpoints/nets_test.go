package checkpoints_test

import _ "wsss/models/nets" // the networks that a header may name
